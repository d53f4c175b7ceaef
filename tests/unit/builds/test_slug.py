import asyncio
import json
import os
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from builds.base import Built
from builds.limit import Limit
from builds.slug import COMPLETE, SlugBuilder
from paas.domain.build import Slug
from paas.errors import BuildFailedError
from tests.eventually import eventually_async
from tests.unit.builds.repos import SHOP, Server, WorkTree, attempt

pytestmark = pytest.mark.anyio


class Bench:
    """A builder, and the commits that it is given."""

    def __init__(self, server: Server, work: WorkTree) -> None:
        self.server = server
        self.work = work
        self.lines: list[str] = []
        self.builder = SlugBuilder(server.settings)

    async def build(self, files: dict[str, str | bytes], *, salt: str = "") -> tuple[Slug, Built]:
        commit = self.work.commit(files)
        self.server.take(self.work)
        async with self.server.repositories.source(SHOP.id, commit) as opened:
            source = await opened()
            async with Limit(60) as limit:
                built = await self.builder.build(
                    source,
                    attempt(source.commit),
                    app=SHOP.name,
                    salt=salt,
                    limit=limit,
                    say=self.lines.append,
                )
        assert isinstance(built.artifact, Slug)
        return built.artifact, built

    def folder(self, slug: Slug) -> Path:
        return self.server.settings.slugs / slug.key

    def folders(self) -> set[str]:
        return {path.name for path in self.server.settings.slugs.iterdir()}


@pytest.fixture
def bench(server: Server, work: WorkTree) -> Bench:
    return Bench(server, work)


PROCFILE: dict[str, str | bytes] = {"Procfile": "web: ./run\n"}
EMPTY: dict[str, str | bytes] = {**PROCFILE, "requirements.txt": "# none yet\n"}


async def test_a_slug_holds_the_commits_files_and_its_marker(bench: Bench) -> None:
    slug, built = await bench.build({**PROCFILE, "a/b": "1"})
    assert (bench.folder(slug) / "tree" / "a" / "b").read_text() == "1"
    assert (bench.folder(slug) / COMPLETE).exists()
    assert dict(built.manifest.procfile.commands) == {"web": "./run"}
    assert await bench.builder.has(slug)
    assert not await bench.builder.has(Slug("other"))


async def test_the_same_files_give_the_same_slug_and_it_is_not_touched(bench: Bench) -> None:
    slug, _ = await bench.build({**PROCFILE})
    before = (bench.folder(slug) / "tree").stat()
    again, _ = await bench.build({})
    assert again == slug
    assert (bench.folder(slug) / "tree").stat().st_ino == before.st_ino


async def test_a_salt_shares_nothing_with_what_is_there(bench: Bench) -> None:
    slug, _ = await bench.build(EMPTY)
    fresh, _ = await bench.build({}, salt="b1")
    assert fresh.key != slug.key
    assert (bench.folder(fresh) / "python").resolve() != (bench.folder(slug) / "python").resolve()


async def test_a_change_of_code_alone_keeps_the_environment(bench: Bench) -> None:
    first, _ = await bench.build({**EMPTY, "a": "1"})
    second, _ = await bench.build({"a": "2"})
    assert first.key != second.key
    assert (bench.folder(first) / "python").resolve() == (bench.folder(second) / "python").resolve()
    assert "The python dependencies have not changed" in bench.lines


async def test_an_environment_sees_nothing_of_the_servers_packages(bench: Bench) -> None:
    slug, _ = await bench.build(EMPTY)
    [folder] = slug.path
    python = bench.folder(slug) / folder / "python"
    code = "import importlib.util as u, json; print(json.dumps([n for n in ('fastapi','uv','builds') if u.find_spec(n)]))"
    shown = await asyncio.to_thread(python_says, python, code)
    assert json.loads(shown) == []


async def test_installed_dependencies_are_read_only(bench: Bench) -> None:
    slug, _ = await bench.build(EMPTY)
    environment = (bench.folder(slug) / "python").resolve()
    installed = [path for path in environment.glob("*/*/**/*") if not path.is_symlink()]
    assert installed
    assert [path for path in installed if path.stat().st_mode & 0o222] == []


async def test_a_failed_build_leaves_nothing_and_says_why(bench: Bench) -> None:
    with pytest.raises(BuildFailedError, match=r"requirements\.txt cannot be (resolved|installed)"):
        await bench.build({**PROCFILE, "requirements.txt": "./nothing-here\n"})
    assert bench.folders() == set()


async def test_a_cancelled_build_ends_its_processes_and_leaves_nothing(bench: Bench) -> None:
    hang = "import subprocess, time\nsubprocess.Popen(['sleep', '987.5'])\ntime.sleep(987)\n"
    files: dict[str, str | bytes] = {
        **PROCFILE,
        "requirements.txt": "./lib\n",
        "lib/pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "hang"\nbackend-path = ["."]\n'
        '[project]\nname = "x"\nversion = "1"\n',
        "lib/hang.py": hang,
    }
    task = asyncio.create_task(bench.build(files))
    await eventually_async(lambda: sleepers(bench.server.settings.home))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert bench.folders() == set()
    assert await sleepers(bench.server.settings.home) == []


def python_says(python: Path, code: str) -> str:
    return subprocess.run([python, "-I", "-c", code], capture_output=True, text=True, check=True).stdout


async def sleepers(home: Path) -> list[int]:
    return await asyncio.to_thread(left_asleep, home)


def left_asleep(home: Path) -> list[int]:
    """Return the processes that a build of this home left sleeping."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            asleep = b"987.5" in (entry / "cmdline").read_bytes()
            if asleep and os.fsencode(home) in (entry / "environ").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue
    return found


async def test_what_an_interrupted_build_left_is_swept_away(bench: Bench) -> None:
    slug, _ = await bench.build({**PROCFILE, "a": "1"})
    half = bench.server.settings.slugs / "half"
    (half / "tree").mkdir(parents=True)
    bench.builder = SlugBuilder(bench.server.settings)
    await bench.build({"a": "2"})
    assert not half.exists()
    assert await bench.builder.has(slug)


async def test_an_environment_goes_with_the_last_slug_that_stands_on_it(bench: Bench) -> None:
    first, _ = await bench.build({**EMPTY, "a": "1"})
    second, _ = await bench.build({"a": "2"})
    environment = (bench.folder(first) / "python").resolve()
    await bench.builder.remove(first)
    assert environment.exists()
    assert await bench.builder.has(second)
    await bench.builder.remove(second)
    await bench.builder.remove(second)
    assert bench.folders() == set()


async def test_two_builds_of_the_same_commit_at_once_make_one_slug(bench: Bench) -> None:
    one, two = await asyncio.gather(bench.build(EMPTY), bench.build({}))
    assert one[0] == two[0]


async def test_a_node_app_is_built_with_its_modules_shared(bench: Bench) -> None:
    package = {
        "scripts": {"start": "node server.js", "build": "node -e \"require('fs').writeFileSync('built', process.env.NODE_ENV)\""},
        "engines": {"node": ">=12"},
    }  # fmt: skip
    slug, built = await bench.build({"package.json": json.dumps(package), "node_modules/old/x": "1"})
    tree = bench.folder(slug) / "tree"
    assert (tree / "built").read_text() == "production"
    assert not (tree / "node_modules").exists()
    assert slug.links == (("node_modules", "node/node_modules"),)
    assert (bench.folder(slug) / "node" / "bin" / "node").exists()
    assert dict(built.manifest.procfile.commands) == {"web": "npm start"}


async def test_a_node_version_that_is_not_here_is_named(bench: Bench) -> None:
    package = json.dumps({"scripts": {"start": "x"}, "engines": {"node": ">=99"}})
    with pytest.raises(BuildFailedError, match=r"package.json wants node >=99, and this machine has v\d+"):
        await bench.build({"package.json": package})


async def test_a_python_version_that_is_not_here_is_named_beside_those_found(bench: Bench) -> None:
    with pytest.raises(
        BuildFailedError, match=r"\.python-version wants Python 3\.99, and this machine has .*3\.\d+"
    ):
        await bench.build({**EMPTY, ".python-version": "3.99\n"})


@pytest.mark.needs_network
async def test_requirements_are_installed(bench: Bench) -> None:
    slug, _ = await bench.build({**PROCFILE, "requirements.txt": "six==1.17.0\n"})
    python = bench.folder(slug) / slug.path[0] / "python"
    shown = await asyncio.to_thread(python_says, python, "import six; print(six.__version__)")
    assert shown.strip() == "1.17.0"


@pytest.mark.needs_network
async def test_a_requirement_that_does_not_exist_fails_in_one_sentence(bench: Bench) -> None:
    with pytest.raises(BuildFailedError, match=r"requirements\.txt cannot be resolved: Because .*six"):
        await bench.build({**PROCFILE, "requirements.txt": "six==0.0.0.1\n"})


async def test_every_slug_is_present_since_it_was_built(bench: Bench) -> None:
    began = datetime.now(UTC) - timedelta(seconds=1)
    slugs = [(await bench.build({**PROCFILE, "a": each}))[0] for each in "12"]
    present = await bench.builder.present()
    assert {artifact for artifact, _ in present} == {Slug(slug.key) for slug in slugs}
    assert all(began < made_at < datetime.now(UTC) for _, made_at in present)
