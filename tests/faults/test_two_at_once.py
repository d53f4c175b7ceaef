"""Two who change one app at once: the second one queues, or is told who holds the lease."""

from collections.abc import Callable

from tests.e2e import apps
from tests.e2e.backing import Backing
from tests.e2e.census import assert_no_orphans
from tests.e2e.harness import Mini, Repository
from tests.eventually import eventually

SETTINGS = {"MINI_STOP_GRACE": "2", "MINI_DRAIN_LIMIT": "1"}


def is_under_way(mini: Mini) -> bool:
    state: str = mini.api("/v1/apps/shop/deployments")[0]["state"]
    return state in ("building", "releasing", "starting")


def test_a_second_push_queues_or_is_refused_as_it_wishes(
    mini: Mini, repository: Callable[[str], Repository], backing: Backing
) -> None:
    shop = repository("shop").write({**apps.web_and_worker(), "gate.py": apps.GATE}).create()
    waiting = f"python3 gate.py {backing.url('green')}"
    shop.write(apps.web_and_worker("two", release=waiting)).commit("Two")
    first = mini.started("mini", "push", cwd=shop.path)
    eventually(lambda: is_under_way(mini))
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
