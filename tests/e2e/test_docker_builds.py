"""Commits become images: with a real git, a real Docker, and the registries that the machine reaches."""

import asyncio
import io
import json
import subprocess
import tarfile
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex

import pytest

from builds.image import ImageBuilder
from builds.repository import Repositories
from builds.service import BuildService
from paas.clock import SystemClock
from paas.domain.app import App
from paas.domain.build import Build, BuildState, Image
from paas.domain.config import Secret
from paas.domain.ids import Commit
from paas.domain.names import AppName, ConfigKey
from paas.errors import (
    BuildFailedError,
    DiskFullError,
    EngineUnavailableError,
    OperationCancelledError,
    OperationTimedOutError,
)
from paas.settings import BaseImages, Settings
from paas.store.database import Store
from tests.dockerd import ADDRESS, NODE, PYTHON, docker, inspect, needs_docker
from tests.eventually import eventually_async
from tests.faults.docker_proxy import DockerProxy
from tests.faults.dockerd import OwnDockerd, needs_own_dockerd
from tests.registry import Registry
from tests.unit.builds.repos import WorkTree, git

pytestmark = [pytest.mark.anyio, needs_docker]

EXAMPLE = Path(__file__).parents[2] / "examples" / "dockerfile-app"
PUBLIC_BASE = "python:3.12-slim"
USER = "10001"
"""Whom a generated Dockerfile's app runs as: not root."""
CANARY = f"canary-{token_hex(8)}"
MARK = f"mini.test.mark={token_hex(8)}"
Files = dict[str, str | bytes]


class Workshop:
    """A build service of a home of its own; everything that it made is removed at its end."""

    def __init__(self, home: Path, work: WorkTree) -> None:
        home.mkdir()
        self.settings = Settings(home=home, base_images=BaseImages(PYTHON, NODE, PYTHON))
        self.work = work
        self.store = Store.open(self.settings, clock=SystemClock())
        self.home_id = self.store.meta.home_id()
        self.app: App = self.store.apps.create(AppName("shop"))
        self.repositories = Repositories(self.settings)
        self.builder = ImageBuilder(self.settings, home_id=self.home_id)
        self.service = self.serving(self.builder, self.settings)
        self.lines: list[str] = []

    def serving(self, builder: ImageBuilder, settings: Settings) -> BuildService:
        return BuildService(
            store=self.store,
            settings=settings,
            clock=SystemClock(),
            builder=builder,
            repositories=self.repositories,
        )

    async def commit(self, files: Files) -> Commit:
        await self.repositories.ensure(self.app.id)
        commit = self.work.commit(files)
        git(
            "push",
            "--quiet",
            str(self.repositories.path(self.app.id)),
            "+HEAD:refs/heads/main",
            at=self.work.path,
        )
        return commit

    async def build(self, files: Files, *, no_cache: bool = False) -> tuple[Image, Build]:
        self.lines.clear()
        build = await self.service.build(
            self.app,
            commit=await self.commit(files),
            ref="main",
            actor="me",
            no_cache=no_cache,
            output=self.lines.append,
        )
        assert isinstance(build.artifact, Image)
        return build.artifact, build

    def tags(self) -> list[str]:
        return docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}", f"mini/{self.home_id}/*").split()

    def close(self) -> None:
        self.store.close()
        for tag in self.tags():
            docker("image", "rm", "--force", tag)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Workshop]:
    workshop = Workshop(tmp_path / "home", WorkTree(tmp_path / "work"))
    yield workshop
    workshop.close()


@pytest.fixture
async def underway(shop: Workshop) -> AsyncIterator["asyncio.Task[tuple[Image, Build]]"]:
    """A build that has come to a command which never ends."""
    marker = token_hex(4)
    made = f"LABEL {MARK}\nRUN echo {marker} > /made"
    dockerfile = f"FROM {PYTHON}\n{made}\nRUN echo begun {marker} && sleep 1000; true {MARK}\n"
    task = asyncio.create_task(shop.build({"Dockerfile": dockerfile}))
    await has_begun(MARK)
    yield task
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def processes_of(mark: str) -> list[str]:
    """Return the commands of this machine's processes that have a mark in them."""
    found = []
    for process in Path("/proc").iterdir():
        with suppress(OSError):
            found.append((process / "cmdline").read_text(errors="replace"))
    return [command for command in found if mark in command]


async def has_begun(mark: str) -> None:
    async def runs() -> bool:
        return processes_of(mark) != []

    await eventually_async(runs, within=60)


async def has_ended(mark: str) -> None:
    async def runs_no_more() -> bool:
        return processes_of(mark) == []

    await eventually_async(runs_no_more, within=30)


def running(image: Image, *command: str) -> str:
    return docker("run", "--rm", "--network", "none", image.digest, *command)


# -- generated Dockerfiles ------------------------------------------------------------------------------------


@pytest.mark.needs_network
async def test_a_python_app_runs_without_root_and_a_change_of_code_makes_one_layer(shop: Workshop) -> None:
    files: Files = {"Procfile": "web: python app.py\n", "requirements.txt": "six==1.17.0\n", "app.py": "1"}
    first, _ = await shop.build(files)
    who = running(
        first, "sh", "-c", "id -u; pwd; echo $HOME; touch x; python -c 'import six; print(six.__version__)'"
    )
    assert who.split() == [USER, "/app", "/app", "1.17.0"]
    second, _ = await shop.build({"app.py": f"'{token_hex(8)}'"})
    before, after = (inspect(image.digest)["RootFS"]["Layers"] for image in (first, second))
    assert isinstance(before, list)
    assert isinstance(after, list)
    assert before[:-1] == after[:-1]
    assert before[-1] != after[-1]
    assert any(line.endswith("are cached") for line in shop.lines)


@pytest.mark.needs_network
async def test_a_project_with_a_lock_is_installed_as_it_says(shop: Workshop) -> None:
    project = (
        '[project]\nname = "shop"\nversion = "1"\nrequires-python = ">=3.11"\n[project.scripts]\nshop = "shop:main"\n'
        '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
        '[tool.hatch.build.targets.wheel]\npackages = ["shop"]\n'
    )
    lock = 'version = 1\nrevision = 3\nrequires-python = ">=3.11"\n\n[[package]]\nname = "shop"\nversion = "1"\nsource = { editable = "." }\n'
    image, build = await shop.build(
        {
            "Procfile": "web: shop\n",
            "pyproject.toml": project,
            "uv.lock": lock,
            "shop/__init__.py": "def main(): print('hello')",
        }
    )
    assert running(image, "shop") == "hello"
    assert build.manifest is not None
    assert dict(build.manifest.procfile.commands) == {"web": "shop"}


@pytest.mark.needs_network
async def test_a_node_app_is_installed_and_built(shop: Workshop) -> None:
    package = {
        "scripts": {"build": "node -e \"require('fs').writeFileSync('out', 'built')\"", "start": "node ."},
        "dependencies": {"is-number": "7.0.0"},
    }
    files: Files = {
        "package.json": json.dumps(package),
        "node_modules/is-number/index.js": "stale",
        "index.js": "",
    }
    image, build = await shop.build(files)
    assert running(image, "id", "-u") == USER
    assert running(image, "cat", "out") == "built"
    assert running(image, "node", "-p", "require('is-number')(5)") == "true"
    assert build.manifest is not None
    assert dict(build.manifest.procfile.commands) == {"web": "npm start"}


async def test_a_procfile_alone_is_enough(shop: Workshop) -> None:
    (shop.work.path / "run").write_text("#!/bin/sh\necho ran\n")
    (shop.work.path / "run").chmod(0o755)
    (shop.work.path / "link").symlink_to("run")
    image, _ = await shop.build({"Procfile": "web: ./run\n"})
    assert running(image, "id", "-u") == USER
    assert running(image, "./link") == "ran"
    assert running(image, "ls", "-A").split() == ["Procfile", "link", "run"]


@pytest.mark.needs_network
async def test_a_requirement_that_does_not_exist_is_named(shop: Workshop) -> None:
    with pytest.raises(
        BuildFailedError, match=r"requirements\.txt cannot be resolved: .*no-such-package-of-mini"
    ):
        await shop.build({"Procfile": "web: x\n", "requirements.txt": "no-such-package-of-mini\n"})


# -- a Dockerfile of the commit -------------------------------------------------------------------------------


async def test_the_example_with_a_dockerfile_runs_its_own_cmd_on_the_port_it_exposes(shop: Workshop) -> None:
    files: Files = {path.name: path.read_bytes() for path in EXAMPLE.iterdir()}
    dockerfile = (EXAMPLE / "Dockerfile").read_text()
    assert f"ARG BASE={PUBLIC_BASE}\n" in dockerfile
    image, build = await shop.build({**files, "Dockerfile": dockerfile.replace(PUBLIC_BASE, PYTHON)})
    assert build.manifest is not None
    assert dict(build.manifest.procfile.commands) == {"web": ""}
    assert build.manifest.procfile.source == "the CMD of the Dockerfile"
    assert image.port == 5000
    assert shop.store.builds.get_by_id(build.id).artifact == image
    assert running(image, "ls", "-A") == "server.py"


async def test_a_procfile_beside_a_dockerfile_says_what_runs_on_the_port_that_the_image_exposes(
    shop: Workshop,
) -> None:
    files: Files = {
        "Dockerfile": f"FROM {PYTHON}\nEXPOSE 5000\nCMD x\n",
        "Procfile": "web: ./a\nworker: ./b\n",
    }
    image, build = await shop.build(files)
    assert image.port == 5000
    assert build.manifest is not None
    assert dict(build.manifest.procfile.commands) == {"web": "./a", "worker": "./b"}


async def test_a_port_that_the_base_exposes_counts_for_the_commits_own_dockerfile_alone(
    shop: Workshop,
) -> None:
    base, _ = await shop.build({"Dockerfile": f"FROM {PYTHON}\nEXPOSE 5000\nCMD x\n"})
    procfile: Files = {"Procfile": "web: ./a\n"}
    inherited, _ = await shop.build({"Dockerfile": f"FROM {base.reference}\n", **procfile})
    assert inherited.port == 5000
    both, _ = await shop.build({"Dockerfile": f"FROM {base.reference}\nEXPOSE 6000\n"})
    assert both.port is None

    settings = replace(shop.settings, base_images=BaseImages(plain=base.reference))
    shop.service = shop.serving(ImageBuilder(settings, home_id=shop.home_id), settings)
    git("rm", "--quiet", "Dockerfile", at=shop.work.path)
    generated, _ = await shop.build({})
    assert generated.port is None


async def test_two_exposed_ports_are_no_choice(shop: Workshop) -> None:
    image, _ = await shop.build({"Dockerfile": f"FROM {PYTHON}\nEXPOSE 5000 5001\nEXPOSE 53/udp\nCMD x\n"})
    assert image.port is None


@pytest.mark.parametrize(
    ("dockerfile", "says"),
    [
        pytest.param(f"FROM {PYTHON}-debian\n", "no CMD and the commit no Procfile", id="nothing to run"),
        pytest.param(f"FROM {PYTHON}\nRUN exit 3\nCMD x\n", "Step 2/., `RUN exit 3`, failed with exit code 3", id="a command"),
        pytest.param("FRM x\n", "unknown instruction: FRM", id="a typing error"),
        pytest.param(" \n", "The Dockerfile is empty", id="nothing in it"),
        pytest.param(f"FROM {PYTHON}\nCOPY nothing /\n", "Step 2/2, `COPY nothing /`, failed: .*nothing", id="a missing file"),
        pytest.param("ARG BASE=mini-test/absent:1\nFROM $BASE\n", "base image mini-test/absent:1 .*docker pull mini-test/absent:1.*FROM line.* no setting", id="no base"),
    ],
)  # fmt: skip
async def test_a_dockerfile_that_cannot_be_built_is_explained_and_leaves_no_image(
    shop: Workshop, dockerfile: str, says: str
) -> None:
    with pytest.raises(BuildFailedError, match=says):
        await shop.build({"Dockerfile": dockerfile})
    assert shop.tags() == []


async def test_a_cache_of_the_dockerfile_outlives_the_build(shop: Workshop) -> None:
    for number in (1, 2):
        mount = f"--mount=type=cache,id={shop.home_id},target=/kept"
        command = f"echo {number} >> /kept/numbers && cat /kept/numbers > /numbers"
        image, _ = await shop.build({"Dockerfile": f"FROM {PYTHON}\nRUN {mount} {command}\nCMD x\n"})
    assert running(image, "cat", "/numbers").split() == ["1", "2"]


async def test_a_base_image_that_is_out_of_reach_is_named_with_its_setting(shop: Workshop) -> None:
    settings = replace(shop.settings, base_images=BaseImages(python="mini-test/absent:{version}"))
    shop.service = shop.serving(ImageBuilder(settings, home_id=shop.home_id), settings)
    files: Files = {"Procfile": "web: x\n", "requirements.txt": "", ".python-version": "3.12\n"}
    with pytest.raises(
        BuildFailedError,
        match=r"base image mini-test/absent:3\.12 .*MINI_BASE_PYTHON \(now .*absent:\{version\}\)",
    ) as failed:
        await shop.build(files)
    assert failed.value.message.count("MINI_") == 1


async def test_a_base_image_of_a_registry_is_pulled_once_as_whom_docker_knows(
    shop: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    with Registry() as registry:
        images = [registry.add(f"{name}-{token_hex(4)}", name, name) for name in ("base", "tool")]
        dockerfile = f"FROM {images[0]}\nCOPY --from={images[1]} /tool /copied\nCMD x\n"
        with pytest.raises(
            BuildFailedError, match=f"base image ({'|'.join(images)}) is not .*cannot be pulled"
        ):
            await shop.build({"Dockerfile": dockerfile})
        registry.credentials(tmp_path)
        image, _ = await shop.build({"Dockerfile": dockerfile})
        assert {line for line in shop.lines if line.startswith("Downloaded newer image")} == {
            f"Downloaded newer image for {name}" for name in images
        }
        pulled = [path for path in registry.asked if path.endswith("/manifests/1")]
        assert len(pulled) == len(set(pulled)) == 2
    try:
        assert any("tool" in layer for layer in layers(image))
        assert all(inspect(name) for name in images)
        # The registry is gone by now, and nobody misses it.
        await shop.build({"Dockerfile": dockerfile, "more": token_hex(4)}, no_cache=True)
        assert not any("Download" in line or "Pulling" in line for line in shop.lines)
    finally:
        docker("image", "rm", "--force", *images)


async def test_a_disk_that_fills_up_is_said_so(shop: Workshop) -> None:
    with pytest.raises(DiskFullError, match="Docker's images is full"):
        await shop.build({"Dockerfile": f"FROM {PYTHON}\nRUN dd if=/dev/zero of=/dev/full count=1\n"})


# -- what an image is known by --------------------------------------------------------------------------------


async def test_an_image_names_what_it_was_built_from(shop: Workshop) -> None:
    image, build = await shop.build({"Procfile": "web: x\n"})
    document = inspect(image.reference)
    assert str(document["Id"]) == image.digest
    assert shop.tags() == [f"mini/{shop.home_id}/{shop.app.id}:{build.commit[:12]}-{build.id}"]
    assert document["Config"]["Labels"] == {
        "mini.image.home": shop.home_id,
        "mini.image.app": shop.app.id,
        "mini.image.app-name": "shop",
        "mini.image.build": build.id,
        "mini.image.builder": f"image/2 python={PYTHON} node={NODE} plain={PYTHON}",
        "mini.image.commit": build.commit,
    }


async def test_a_label_of_the_dockerfile_takes_the_place_of_none_of_minis(shop: Workshop) -> None:
    lines = "LABEL mini.image.home=another own=label\nCMD x \\"
    image, _ = await shop.build({"Dockerfile": f"FROM {PYTHON}\n{lines}"})
    labels = inspect(image.digest)["Config"]["Labels"]
    assert isinstance(labels, dict)
    assert (labels["mini.image.home"], labels["own"]) == (shop.home_id, "label")


async def test_the_image_has_the_commits_files_and_none_of_those_that_it_is_built_by(shop: Workshop) -> None:
    files: Files = {
        ".dockerignore": "Dockerfile\n.dockerignore\nsecret\n",
        "Dockerfile": f"FROM {PYTHON}\nCOPY . /all\nCMD x\n",
        "secret": "",
        "kept": "",
    }
    image, _ = await shop.build(files)
    assert running(image, "ls", "-A", "/all").split() == ["kept"]
    image, _ = await shop.build({".dockerignore": "secret\n"})
    assert running(image, "ls", "-A", "/all").split() == [".dockerignore", "Dockerfile", "kept"]


async def test_a_file_that_changes_without_changing_its_size_is_never_taken_for_the_old_one(
    shop: Workshop,
) -> None:
    dockerfile = f"FROM {PYTHON}\nCOPY number /\nCMD x\n"
    for number in "1231":
        image, _ = await shop.build({"Dockerfile": dockerfile, "number": number})
        assert running(image, "cat", "/number") == number


async def test_no_config_and_nothing_of_the_servers_environment_is_in_an_image(shop: Workshop) -> None:
    shop.store.configs.save(shop.app.id, {ConfigKey("SECRET"): Secret(CANARY)})
    environ = {
        "DOCKER_HOST": ADDRESS,
        "SECRET": CANARY,
        "HTTPS_PROXY": f"http://me:{CANARY}@proxy.invalid:1",
        "UV_INDEX": f"https://{CANARY}@x",
    }
    shop.service = shop.serving(
        ImageBuilder(shop.settings, home_id=shop.home_id, environ=environ), shop.settings
    )
    # The proxy is there for the command that needs it, and nowhere else.
    dockerfile = f"FROM {PYTHON}\nRUN echo $HTTPS_PROXY | grep -c proxy.invalid > /seen\nCMD x\n"
    image, build = await shop.build({"Dockerfile": dockerfile})
    assert running(image, "cat", "/seen") == "1"
    history = docker("history", "--no-trunc", image.digest)
    for text in (
        history,
        json.dumps(inspect(image.digest)),
        shop.service.output(build.id).read_text(),
        *layers(image),
    ):
        assert CANARY not in text


async def test_a_dockerfile_that_asks_for_a_config_var_gets_none(shop: Workshop) -> None:
    shop.store.configs.save(shop.app.id, {ConfigKey("SECRET"): Secret(CANARY)})
    environ = {"DOCKER_HOST": ADDRESS, "SECRET": CANARY}
    shop.service = shop.serving(
        ImageBuilder(shop.settings, home_id=shop.home_id, environ=environ), shop.settings
    )
    asks = f'RUN (env; echo "SECRET is <$SECRET>") | tee /seen # {token_hex(4)}'
    image, build = await shop.build(
        {"Dockerfile": f"FROM {PYTHON}\nARG SECRET\nENV KEPT=$SECRET\n{asks}\nCMD x\n"}
    )
    output = shop.service.output(build.id).read_text()
    for told in (output, running(image, "cat", "/seen")):
        assert "SECRET is <>" in told
        assert "PATH=" in told
    for text in (
        output,
        docker("history", "--no-trunc", image.digest),
        json.dumps(inspect(image.digest)),
        *layers(image),
    ):
        assert CANARY not in text


def layers(image: Image) -> Iterator[str]:
    """Yield the image's layers above its base, and its configuration, as text."""
    archive = subprocess.run(["docker", "save", image.digest], capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for member in tar.getmembers():
            content = tar.extractfile(member) if member.isfile() else None
            if content is not None and member.size < 10_000_000:
                yield content.read().decode(errors="replace")


# -- using again, and removing --------------------------------------------------------------------------------


async def test_a_commit_that_was_built_is_not_built_again_unless_asked(shop: Workshop) -> None:
    files: Files = {"Procfile": "web: x\n"}
    _, build = await shop.build(files)
    commit = shop.work.head()

    async def again(*, no_cache: bool) -> Build:
        return await shop.service.build(
            shop.app, commit=commit, ref="main", actor="me", no_cache=no_cache, output=shop.lines.append
        )

    assert await again(no_cache=False) == build
    shop.lines.clear()
    fresh = await again(no_cache=True)
    assert fresh.id != build.id
    assert not any("cached" in line for line in shop.lines)


async def test_a_commit_is_built_again_once_its_base_is_another(shop: Workshop) -> None:
    _, before = await shop.build({"Procfile": "web: x\n"})
    settings = replace(shop.settings, base_images=BaseImages(PYTHON, NODE, plain=NODE))
    service = shop.serving(ImageBuilder(settings, home_id=shop.home_id), settings)

    async def build(service: BuildService) -> Build:
        return await service.build(
            shop.app,
            commit=shop.work.head(),
            ref="main",
            actor="me",
            no_cache=False,
            output=shop.lines.append,
        )

    after = await build(service)
    assert f"Step 1/4: FROM {NODE}" in shop.lines
    assert await build(service) == after
    assert await build(shop.service) == before


async def test_an_image_is_removed_with_its_last_use_and_no_sooner(shop: Workshop) -> None:
    image, build = await shop.build({"Procfile": "web: x\n", "a": token_hex(8)})
    container = docker("run", "--detach", image.digest, "sleep", "1000")
    try:
        assert not await shop.builder.remove(image)
        assert await shop.builder.has(image)
    finally:
        docker("container", "rm", "--force", container)
    assert await shop.builder.remove(image)
    assert not await shop.builder.has(image)
    assert not await shop.builder.remove(image)
    again = await shop.service.build(
        shop.app, commit=build.commit, ref="main", actor="me", no_cache=False, output=shop.lines.append
    )
    assert again.id != build.id


async def test_the_images_of_a_home_are_present_in_it_alone(shop: Workshop) -> None:
    image, _ = await shop.build({"Procfile": "web: x\n", "a": token_hex(8)})
    docker("image", "tag", image.reference, f"mini-test-{shop.home_id}:mine")
    assert await ImageBuilder(shop.settings, home_id="another").present() == []
    ((present, made_at),) = await shop.builder.present()
    assert present == image
    assert made_at <= datetime.now(UTC)
    assert await shop.builder.remove(present)
    # A person's own name for it is a person's.
    assert await shop.builder.present() == []
    docker("image", "rm", f"mini-test-{shop.home_id}:mine")


async def test_what_a_person_builds_from_an_image_is_not_this_homes(shop: Workshop, tmp_path: Path) -> None:
    image, _ = await shop.build({"Procfile": "web: x\n", "a": token_hex(8)})
    mine = f"mini-test-{shop.home_id}:derived"
    (tmp_path / "Dockerfile").write_text(f"FROM {image.reference}\nLABEL {MARK}\n")
    derived = docker("build", "--quiet", str(tmp_path))
    try:
        assert [each for each, _ in await shop.builder.present()] == [image]
        docker("image", "tag", derived, mine)
        assert [each for each, _ in await shop.builder.present()] == [image]
    finally:
        docker("image", "rm", "--force", derived)


async def test_an_image_that_another_home_or_a_person_made_is_never_removed(shop: Workshop) -> None:
    image, _ = await shop.build({"Procfile": "web: x\n", "a": token_hex(8)})
    base = inspect(PYTHON)
    assert not await shop.builder.remove(Image(str(base["Id"]), PYTHON))
    assert not await ImageBuilder(shop.settings, home_id="another").remove(image)
    assert await shop.builder.has(image)
    assert inspect(PYTHON) == base


@pytest.fixture
def dockerd() -> Iterator[OwnDockerd]:
    """A daemon whose build cache nobody else fills, or misses."""
    own = OwnDockerd(Path(tempfile.mkdtemp(prefix="mini-docker-")))
    own.start()
    own.load()
    yield own
    own.close()


@needs_own_dockerd
async def test_what_docker_keeps_for_later_builds_has_a_limit_and_a_removed_image_counts(
    shop: Workshop, dockerd: OwnDockerd
) -> None:
    megabytes = 24
    fill = f"RUN head -c {megabytes}000000 /dev/urandom > /data # {token_hex(4)}"
    kept = replace(shop.settings, build_cache=1)
    builder = ImageBuilder(kept, home_id=shop.home_id, environ=dockerd.environ)
    shop.service = shop.serving(builder, kept)
    image, _ = await shop.build({"Dockerfile": f"FROM {PYTHON}\n{fill}\nCMD x\n"})
    await builder.trim(dry_run=False)
    assert await builder.has(image)
    assert await builder.trim(dry_run=True) < megabytes * 1_000_000  # the image has it, the cache shares it
    assert await builder.remove(image)
    excess = await builder.trim(dry_run=True)
    assert excess > megabytes * 1_000_000 - 1024 * 1024
    unlimited = ImageBuilder(
        replace(shop.settings, build_cache=0), home_id=shop.home_id, environ=dockerd.environ
    )
    assert await unlimited.trim(dry_run=False) == 0
    assert await builder.trim(dry_run=True) >= excess
    assert await builder.trim(dry_run=False) >= excess
    assert await builder.trim(dry_run=True) == 0


# -- ends -----------------------------------------------------------------------------------------------------


async def test_a_cancelled_build_leaves_nothing_running(
    shop: Workshop, underway: "asyncio.Task[tuple[Image, Build]]"
) -> None:
    build = shop.store.builds.list(shop.app.id)[0]
    await shop.service.cancel(build.id)
    with pytest.raises(OperationCancelledError, match="was cancelled"):
        await underway
    assert shop.store.builds.get_by_id(build.id).state is BuildState.CANCELLED
    assert processes_of(MARK) == []
    assert docker("image", "ls", "--all", "--quiet", "--filter", f"label={MARK}") == ""
    assert shop.tags() == []


async def test_a_build_can_be_cancelled_while_docker_hangs(shop: Workshop, tmp_path: Path) -> None:
    proxy = DockerProxy(tmp_path / "proxy.sock")
    builder = ImageBuilder(shop.settings, home_id=shop.home_id, environ=proxy.environ)
    shop.service = shop.serving(builder, shop.settings)
    command = f"echo begun {token_hex(4)}; sleep 1000; true"
    task = asyncio.create_task(shop.build({"Dockerfile": f"FROM {PYTHON}\nRUN {command}\n"}))
    try:
        await has_begun(command)
        proxy.hang()
        async with asyncio.timeout(60):
            await shop.service.cancel(shop.store.builds.list(shop.app.id)[0].id)
        with pytest.raises(OperationCancelledError):
            await task
    finally:
        proxy.close()

    await has_ended(command)


async def test_a_docker_that_goes_during_a_build_is_said_so(shop: Workshop, tmp_path: Path) -> None:
    proxy = DockerProxy(tmp_path / "proxy.sock")
    builder = ImageBuilder(shop.settings, home_id=shop.home_id, environ=proxy.environ)
    shop.service = shop.serving(builder, shop.settings)
    command = f"echo begun {token_hex(4)}; sleep 1000; true"
    task = asyncio.create_task(shop.build({"Dockerfile": f"FROM {PYTHON}\nRUN {command}\n"}))
    await has_begun(command)
    proxy.close()
    with pytest.raises(EngineUnavailableError, match="Docker does not answer"):
        await task


async def test_a_build_over_its_limit_is_ended(shop: Workshop) -> None:
    settings = replace(shop.settings, build_limit=3)
    shop.service = shop.serving(ImageBuilder(settings, home_id=shop.home_id), settings)
    marker = token_hex(4)
    with pytest.raises(OperationTimedOutError, match="took longer than 3 s"):
        await shop.build({"Dockerfile": f"FROM {PYTHON}\nRUN echo {marker} && sleep 1000; true {marker}\n"})
    assert processes_of(marker) == []


async def test_without_a_docker_the_build_says_so(shop: Workshop, tmp_path: Path) -> None:
    environ = {"DOCKER_HOST": f"unix://{tmp_path}/none.sock"}
    builder = ImageBuilder(shop.settings, home_id=shop.home_id, environ=environ)
    shop.service = shop.serving(builder, shop.settings)
    with pytest.raises(EngineUnavailableError, match="Docker does not answer"):
        await shop.build({"Procfile": "web: x\n"})


async def test_a_flood_of_output_arrives_in_order(shop: Workshop) -> None:
    await shop.build({"Dockerfile": f"FROM {PYTHON}\nRUN seq 20000 # {token_hex(4)}\nCMD x\n"})
    numbers = [int(line) for line in shop.lines if line.isdigit()]
    assert numbers == list(range(1, 20001))
