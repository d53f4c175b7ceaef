"""The times of files: kept while a file is what it was, and never given to two contents."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from builds.times import Known, Times

NAMES = st.sampled_from(["a", "b", "\udcff"])
TREES = st.dictionaries(NAMES, st.sampled_from(["1", "2", "3"]))


def built(path: Path, files: dict[bytes, str], *, now: int) -> dict[bytes, int]:
    times = Times.read(path, now=now)
    told = {name: times.of(name, id) for name, id in files.items()}
    times.save(path)
    return told


def test_a_file_keeps_its_time_until_it_changes(tmp_path: Path) -> None:
    seen = tmp_path / "cache" / "image-files" / "app"
    assert built(seen, {b"a": "1", b"\xff": "1"}, now=10) == {b"a": 10, b"\xff": 10}
    assert built(seen, {b"a": "2", b"\xff": "1"}, now=20) == {b"a": 20, b"\xff": 10}
    assert built(seen, {b"a": "1"}, now=30) == {b"a": 30}
    assert built(seen, {b"a": "1", b"\xff": "1"}, now=40) == {b"a": 30, b"\xff": 40}
    assert list((tmp_path / "cache").rglob("*")) == [seen.parent, seen]


def test_what_cannot_be_read_is_forgotten(tmp_path: Path) -> None:
    seen = tmp_path / "app"
    for text in ("", "[]", "{", '{"a": 1}', '{"a": ["1", "x"]}'):
        seen.write_text(text)
        assert Times.read(seen, now=10).of(b"a", "1") == 10


@given(st.lists(st.tuples(TREES, st.booleans(), st.booleans()), max_size=12))
def test_no_two_contents_of_a_path_ever_have_one_time(
    builds: list[tuple[dict[str, str], bool, bool]],
) -> None:
    known: Known = {}
    given_out: dict[tuple[str, int], str] = {}
    for now, (files, is_saved, is_lost) in enumerate(builds, start=1):
        times = Times({} if is_lost else known, now=now)
        kept = {}
        for name, id in files.items():
            time = times.of(name.encode(errors="surrogateescape"), id)
            assert given_out.setdefault((name, time), id) == id
            kept[name] = (id, time)
        known = kept if is_saved else known
