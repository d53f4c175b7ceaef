import pytest

from builds.app_json import parse_app_json
from paas.domain.names import ProcessType
from paas.domain.process import Check, CheckKind
from paas.errors import BuildFailedError

WEB = ProcessType("web")


def test_formation_and_checks_are_read_and_the_rest_is_left_alone() -> None:
    says = parse_app_json(
        """{"name": "shop", "env": {"A": {}}, "formation": {"web": {"quantity": 2}, "worker": {}},
            "healthchecks": {"web": [{"type": "startup", "path": "/up", "content": "ok", "attempts": 5,
                                      "timeout": 3, "wait": 2, "initialDelay": 1},
                                     {"type": "liveness", "path": "/live"}, {"type": "readiness", "path": "/"}]}}""",
        max_instances=100,
    )
    assert says.formation == {"web": 2, "worker": 1}
    assert says.checks[WEB] == (
        Check(
            CheckKind.STARTUP, path="/up", content="ok", attempts=5, interval=2, timeout=3, initial_delay=1
        ),
        Check(CheckKind.LIVENESS, path="/live", interval=10, timeout=2),
    )
    assert says.auto_rollback


def test_automatic_rollback_can_be_switched_off() -> None:
    assert not parse_app_json('{"mini": {"auto_rollback": false}}', max_instances=1).auto_rollback


@pytest.mark.parametrize(
    ("text", "member"),
    [
        pytest.param("{", "app.json is no JSON", id="broken"),
        pytest.param("[]", "app.json must be an object", id="list"),
        pytest.param('{"formation": {"web": {"quantity": "2"}}}', "formation.web.quantity", id="text"),
        pytest.param('{"formation": {"web": {"quantity": true}}}', "formation.web.quantity", id="bool"),
        pytest.param('{"formation": {"web": {"quantity": 101}}}', "from 0 to 100", id="too many"),
        pytest.param('{"formation": {"we b": {}}}', "formation: 'we b' is no process type", id="type"),
        pytest.param('{"formation": {}, "formation": {}}', "'formation' is there twice", id="twice"),
        pytest.param('{"healthchecks": {"web": {}}}', "healthchecks.web must be a list", id="no list"),
        pytest.param('{"healthchecks": {"web": [{"path": "up"}]}}', "web.0..path", id="relative path"),
        pytest.param('{"healthchecks": {"web": [{"path": "/a b"}]}}', "web.0..path", id="space in path"),
        pytest.param('{"healthchecks": {"web": [{"type": "x"}]}}', "web.0..type", id="kind"),
        pytest.param('{"healthchecks": {"web": [{"timeout": NaN}]}}', "web.0..timeout", id="not a number"),
        pytest.param(
            '{"healthchecks": {"web": [{"command": ["x"]}]}}', "command is not supported", id="Dokku's"
        ),
        pytest.param('{"healthchecks": {"web": [{"pth": "/"}]}}', "pth is no member", id="typo"),
        pytest.param('{"mini": {"x": 1}}', "mini.x is unknown", id="mini"),
        pytest.param("[" * 100_000, "app.json is no JSON", id="deep"),
    ],
)
def test_a_mistake_names_its_member(text: str, member: str) -> None:
    with pytest.raises(BuildFailedError, match=member):
        parse_app_json(text, max_instances=100)
