"""Two who change one app at once: the second one queues, or is told who holds the lease."""

import os
from collections.abc import Callable
from signal import SIGKILL
from subprocess import Popen

from tests.e2e import apps
from tests.e2e.backing import Backing
from tests.e2e.census import assert_no_orphans
from tests.e2e.harness import Mini, Repository
from tests.eventually import eventually

SETTINGS = {"MINI_STOP_GRACE": "2", "MINI_DRAIN_LIMIT": "1"}


def is_under_way(mini: Mini, app: str) -> bool:
    state: str = mini.api(f"/v1/apps/{app}/deployments")[0]["state"]
    return state in ("building", "releasing", "starting")


def test_a_second_push_queues_or_is_refused_as_it_wishes(
    mini: Mini, repository: Callable[[str], Repository], backing: Backing
) -> None:
    shop = repository("shop").write({**apps.web_and_worker(), "gate.py": apps.GATE}).create()
    waiting = f"python3 gate.py {backing.url('green')}"
    shop.write(apps.web_and_worker("two", release=waiting)).commit("Two")
    first = mini.started("mini", "push", cwd=shop.path)
    eventually(lambda: is_under_way(mini, "shop"))
    shop.write(apps.web_and_worker("three")).commit("Three")
    shop.try_push("--wait-lock", "0").refused(5, "push")
    second = mini.started("mini", "push", cwd=shop.path)
    eventually(lambda: len(mini.api("/v1/apps/shop/deployments")) == 3)
    backing.put("green")
    out, err = first.communicate(timeout=60)
    assert (first.returncode, out.split()[0]) == (0, "v2"), err
    out, err = second.communicate(timeout=60)
    assert (second.returncode, out.split()[0]) == (0, "v3"), err
    assert "Waiting for" in err
    assert mini.get("shop").startswith("three web.1 v3 ")
    assert [row["version"] for row in mini.json("releases", "-a", "shop")] == [3, 2, 1]
    assert_no_orphans(mini)


def two_git_pushes(mini: Mini, blog: Repository, gate: str) -> "tuple[Popen[str], Popen[str]]":
    """Push `two`, whose release phase waits for the gate, and then branch `slower` with `three`, both to the main that
    there is; return both pushes once the second one waits for the first."""
    blog.write({**apps.web_and_worker(), "gate.py": apps.GATE}).create()
    blog.git("push", "-q", "mini", "main")
    blog.git("branch", "slower")
    blog.write(apps.web_and_worker("two", release=f"python3 gate.py {gate}")).commit("Two")
    first = mini.started("git", "push", "mini", "main", cwd=blog.path)
    eventually(lambda: is_under_way(mini, blog.name))
    blog.git("checkout", "-q", "slower")
    blog.write(apps.web_and_worker("three")).commit("Three")
    second = mini.started("git", "push", "mini", "slower:main", cwd=blog.path)
    assert second.stderr is not None
    while "Waiting for the push of" not in (line := second.stderr.readline()):
        assert line, "the second push ended before the first"
    return first, second


def test_of_two_git_pushes_the_slower_one_is_refused_and_nothing_of_it_is_deployed(
    mini: Mini, repository: Callable[[str], Repository], backing: Backing
) -> None:
    blog = repository("blog")
    first, second = two_git_pushes(mini, blog, backing.url("open"))
    backing.put("open")
    _, err = first.communicate(timeout=60)
    assert first.returncode == 0, err
    _, err = second.communicate(timeout=60)
    assert second.returncode == 1, err
    assert "main has moved since this push began: another push was faster. Push again." in err
    assert mini.get("blog").startswith("two web.1 v2 ")
    assert [row["version"] for row in mini.json("releases", "-a", "blog")] == [2, 1]
    assert mini.api("/v1/apps/blog/deployments")[0]["release"] == 2
    again = mini.command("git", "push", "--force", "mini", "slower:main", cwd=blog.path)
    assert again.code == 0, again
    assert mini.get("blog").startswith("three web.1 v3 ")
    assert_no_orphans(mini)


def test_a_git_push_that_is_killed_lets_the_one_behind_it_go_on(
    mini: Mini, repository: Callable[[str], Repository], backing: Backing
) -> None:
    first, second = two_git_pushes(mini, repository("wiki"), backing.url("never"))
    os.killpg(first.pid, SIGKILL)
    first.communicate(timeout=60)
    _, err = second.communicate(timeout=60)
    assert second.returncode == 0, err
    assert mini.get("wiki").startswith("three web.1 ")
    assert_no_orphans(mini)
