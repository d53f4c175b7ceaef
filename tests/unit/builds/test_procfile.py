import pytest
from honcho.environ import parse_procfile as honcho_parse
from hypothesis import given, settings
from hypothesis import strategies as st

from builds.procfile import parse_procfile
from paas.errors import BuildFailedError


@pytest.mark.parametrize(
    ("text", "commands"),
    [
        pytest.param("web: ./run", {"web": "./run"}, id="one type"),
        pytest.param("web:./run\nworker:  a b \n", {"web": "./run", "worker": "a b"}, id="spaces around"),
        pytest.param("# note\n\n  # more\nweb: a # b\r\n", {"web": "a # b"}, id="comments and blank lines"),
        pytest.param("web: a: b:c", {"web": "a: b:c"}, id="colons in the command"),
        pytest.param("release: m\nweb_2-x: s", {"release": "m", "web_2-x": "s"}, id="release and odd names"),
    ],
)
def test_a_procfile_gives_its_types_in_order(text: str, commands: dict[str, str]) -> None:
    assert dict(parse_procfile(text).commands) == commands


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        pytest.param("web a", "line 1: 'web a' is not", id="no colon"),
        pytest.param("web: a\n web: b", "line 2: ' web: b' is not", id="leading space"),
        pytest.param("web: a\n\nweb: b", "line 3: the type 'web' is already there", id="duplicate"),
        pytest.param("web:", "line 1", id="no command"),
        pytest.param("web:   ", "line 1", id="blank command"),
        pytest.param("\ufeffweb: a", "line 1 begins with a byte order mark", id="BOM"),
        pytest.param("wéb: a", "line 1: 'wéb' is no process type", id="letter beyond ASCII"),
        pytest.param("-web: a", "line 1: '-web' is no process type", id="leading dash"),
        pytest.param("web: a\0b", "line 1: the command holds a NUL", id="NUL"),
        pytest.param("# nothing\n", "has no process type", id="empty"),
    ],
)
def test_what_cannot_be_read_is_named_by_its_line(text: str, complaint: str) -> None:
    with pytest.raises(BuildFailedError, match=complaint.replace("(", r"\(")):
        parse_procfile(text)


_lines = st.lists(st.text(alphabet="web:-_ #\t\r\v\x85\u2028a1é\ufeff\0", max_size=12), max_size=5)


@settings(max_examples=500, deadline=None)
@given(lines=_lines)
def test_what_is_read_is_what_honcho_reads_and_nothing_is_dropped(lines: list[str]) -> None:
    text = "\n".join(lines)
    try:
        ours = dict(parse_procfile(text).commands)
    except BuildFailedError:
        return
    assert ours == {name: command.rstrip() for name, command in honcho_parse(text).processes.items()}
    written = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    assert len(ours) == len(written)
