"""One-offs on a terminal and on pipes."""

import signal

import pytest

from paas.domain.instance import ExitStatus
from paas.engines.base import Attachment, TerminalSize
from tests.contracts.stages import ProcessStage
from tests.unit.paas.engines.world import FOREVER, sleepers, until_sleeping

pytestmark = pytest.mark.anyio


async def read_until(attachment: Attachment, text: str) -> str:
    seen = ""
    async for block in attachment.output():
        seen += block.decode()
        if text in seen:
            break
    return seen


async def test_a_terminal_is_the_one_offs_own_and_has_its_size(stage: ProcessStage) -> None:
    spec = stage.command("test -t 0 && test -t 1 && test -t 2 && stty size && exec 3</dev/tty && echo owned")
    async with await stage.engine.attach(spec, terminal=TerminalSize(33, 77)) as one_off:
        assert (await read_until(one_off, "owned")).split() == ["33", "77", "owned"]


async def test_a_resized_terminal_signals_its_app(stage: ProcessStage) -> None:
    spec = stage.command("trap 'stty size; exit' WINCH; echo ready; while :; do sleep 0.02; done")
    async with await stage.engine.attach(spec, terminal=TerminalSize(10, 10)) as one_off:
        await read_until(one_off, "ready")
        await one_off.resize(TerminalSize(44, 99))
        assert "44 99" in await read_until(one_off, "44 99")


async def test_an_interrupt_typed_on_a_terminal_reaches_the_app(stage: ProcessStage) -> None:
    spec = stage.command("trap 'exit 9' INT; echo ready; while :; do sleep 0.02; done")
    async with await stage.engine.attach(spec, terminal=TerminalSize()) as one_off:
        await read_until(one_off, "ready")
        await one_off.write(b"\x03")
        assert await one_off.wait() == ExitStatus(9)


async def test_stdout_and_stderr_come_in_order(stage: ProcessStage) -> None:
    spec = stage.command("for i in 1 2 3; do echo out$i; echo err$i >&2; done")
    async with await stage.engine.attach(spec, terminal=None) as one_off:
        assert (await read_until(one_off, "err3")).split() == ["out1", "err1", "out2", "err2", "out3", "err3"]


async def test_large_input_and_output_pass_through_whole(stage: ProcessStage) -> None:
    sent = b"0123456789abcdef" * 65_536
    spec = stage.command("wc -c")
    async with await stage.engine.attach(spec, terminal=None) as one_off:
        await one_off.write(sent)
        await one_off.close_input()
        assert (await read_until(one_off, "\n")).strip() == str(len(sent))


async def test_leaving_ends_all_of_a_one_off_and_its_scratch(stage: ProcessStage) -> None:
    spec = stage.command(f"trap '' TERM HUP; (setsid sleep {FOREVER} &) ; sleep {FOREVER}")
    async with await stage.engine.attach(spec, terminal=TerminalSize()) as one_off:
        await until_sleeping(2)
        await one_off.signal(signal.SIGINT)
    assert sleepers() == set()
    assert list(stage.settings.scratch.iterdir()) == []


async def test_the_codes_of_a_shell_that_finds_nothing_are_passed_on(stage: ProcessStage) -> None:
    async with await stage.engine.attach(stage.command("no-such-program"), terminal=None) as one_off:
        assert await one_off.wait() == ExitStatus(127)
    async with await stage.engine.attach(stage.command("./actor.py"), terminal=None) as one_off:
        assert await one_off.wait() == ExitStatus(126)
