"""What an instance gets from the engine at its start, and what it never gets."""

import json
import os
import resource
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from paas.domain.build import Slug
from paas.engines.process import proc
from paas.errors import EngineUnavailableError, InvalidError
from tests.contracts.stages import ProcessStage
from tests.unit.paas.engines.world import FOREVER, sleepers, until_printed, until_sleeping

pytestmark = pytest.mark.anyio

SHOW = "python3 -S -c 'import json, os; print(json.dumps(dict(os.environ)))'; echo end"


def of_process(pid: int, name: str) -> str:
    return Path(f"/proc/{pid}/{name}").read_text()


async def environment_of(
    stage: ProcessStage, slug: Slug, given: tuple[tuple[str, str], ...]
) -> dict[str, str]:
    spec = replace(stage.command(SHOW), environment=given)
    assert isinstance(spec.artifact, Slug)
    await stage.engine.start(replace(spec, artifact=replace(slug, key=spec.artifact.key)))
    printed = await until_printed(stage, spec, "end")
    found: dict[str, str] = json.loads(printed.splitlines()[0])
    return found


async def test_nothing_of_the_servers_environment_is_passed_on(
    stage: ProcessStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SERVER_SECRET", "canary")
    seen = await environment_of(stage, Slug(""), (("DEBUG", "1"),))
    assert sorted(set(seen) - {"PWD", "LC_CTYPE"}) == [
        *("DEBUG", "HOME", "HOST", "MINI_HOME_ID", "MINI_INSTANCE_ID", "PATH", "TMPDIR")
    ]
    assert seen["PATH"] == "/usr/local/bin:/usr/bin:/bin"
    assert seen["HOST"] == "127.0.0.1"


async def test_the_slugs_own_programs_come_first_on_the_path(stage: ProcessStage) -> None:
    slug = Slug("", path=("venv/bin",), environment=(("VIRTUAL_ENV", "/slug/venv"), ("DEBUG", "0")))
    seen = await environment_of(stage, slug, (("DEBUG", "1"), ("PATH", "/opt/tools/bin:/usr/bin")))
    assert seen["PATH"].startswith(str(stage.settings.slugs))
    assert seen["PATH"].endswith("/venv/bin:/opt/tools/bin:/usr/bin")
    assert seen["VIRTUAL_ENV"] == "/slug/venv"
    assert seen["DEBUG"] == "1"


async def test_an_instance_works_in_a_copy_of_its_own(stage: ProcessStage) -> None:
    files = {"data.txt": "as pushed", "bin/tool": "#!/bin/sh\necho ran"}
    spec = stage.command("pwd; bin/tool; echo changed > data.txt; echo end", files=files)
    assert isinstance(spec.artifact, Slug)
    slug = stage.settings.slugs / spec.artifact.key
    (slug / "tree" / "link").symlink_to("data.txt")
    (slug / "node_modules").mkdir()
    spec = replace(
        spec, artifact=replace(spec.artifact, links=(("node_modules", "node_modules"), ("bin", "gone")))
    )
    await stage.engine.start(spec)
    printed = await until_printed(stage, spec, "end")
    copy = stage.settings.scratch / spec.id / "app"
    assert printed.splitlines() == [str(copy), "ran", "end"]
    assert (slug / "tree" / "data.txt").read_text() == "as pushed"
    assert (copy / "link").readlink() == Path("data.txt")
    assert (copy / "node_modules").readlink() == slug / "node_modules"
    assert (copy / "bin").is_dir()
    assert {path.stat().st_nlink for path in copy.rglob("*") if path.is_file()} == {1}


async def test_scratch_goes_with_its_instance_even_if_the_app_locked_it(stage: ProcessStage) -> None:
    spec = stage.command(
        "mkdir -p deep/er; touch deep/er/file; chmod 0 deep/er deep; touch $TMPDIR/a; echo end"
    )
    await stage.engine.start(spec)
    await until_printed(stage, spec, "end")
    await stage.engine.stop(spec.id, grace=0)
    await stage.engine.forget(spec.id)
    assert list(stage.settings.scratch.iterdir()) == []


async def test_an_instance_can_gain_no_privileges_and_dumps_no_core(stage: ProcessStage) -> None:
    spec = stage.command(f"exec sleep {FOREVER}")
    await stage.engine.start(spec)
    await until_sleeping(1)
    (pid,) = sleepers()
    assert "NoNewPrivs:\t1" in of_process(pid, "status")
    assert resource.prlimit(pid, resource.RLIMIT_CORE) == (0, 0)
    assert int(of_process(pid, "oom_score_adj")) == int(of_process(os.getpid(), "oom_score_adj")) + 200
    assert os.getsid(pid) == os.getpgid(pid) == pid


async def test_an_instance_has_only_the_files_it_was_given(stage: ProcessStage) -> None:
    with socket.socket() as inheritable:
        inheritable.set_inheritable(True)
        spec = stage.command(f"exec sleep {FOREVER}")
        await stage.engine.start(spec)
        await until_sleeping(1)
    (pid,) = sleepers()
    files = sorted(str(link.readlink()) for link in proc.descriptors(pid))
    lock = str(stage.settings.scratch / spec.id / "lock")
    assert files == sorted(["/dev/null", str(spec.output), str(spec.output), lock])


async def test_a_command_and_config_too_large_for_the_kernel_are_refused(stage: ProcessStage) -> None:
    spec = replace(stage.command("true"), environment=(("BIG", "x" * 200_000),))
    with pytest.raises(InvalidError, match="larger than the kernel takes"):
        await stage.engine.start(spec)
    assert list(stage.settings.scratch.iterdir()) == []


async def test_a_missing_output_is_the_engines_failure(stage: ProcessStage) -> None:
    with pytest.raises(EngineUnavailableError, match="cannot be opened"):
        await stage.engine.start(replace(stage.command("true"), output=Path("/nowhere/fifo")))


async def test_a_slug_without_an_environment_that_it_stands_on_is_not_there(stage: ProcessStage) -> None:
    spec = stage.command("true")
    assert isinstance(spec.artifact, Slug)
    slug = stage.settings.slugs / spec.artifact.key
    (slug / "python").symlink_to(Path("..") / "env-1")
    assert not await stage.engine.has(spec.artifact)

    (slug.parent / "env-1").mkdir()
    (slug.parent / "env-1" / ".complete").touch()
    assert await stage.engine.has(spec.artifact)
