"""The API's documents as the command line reads them: types only, with the members that it uses."""

from typing import TypedDict


class Pids(TypedDict):
    """The processes of the three planes."""

    control: int
    router: list[int]
    logs: int | None


class Server(TypedDict):
    """What `mini server status` shows."""

    version: str
    home: str
    home_id: str
    engine: str
    socket: str
    api: str
    http: str
    https: str | None
    pids: Pids
    started_at: str
    apps: int
    instances: int | None


class Finding(TypedDict):
    """One line of `mini doctor`."""

    check: str
    ok: bool
    level: str
    message: str


class App(TypedDict):
    """An app as it is now."""

    name: str
    url: str
    created_at: str
    release: int | None
    commit: str | None
    domains: list[str]
    formation: dict[str, int]
    instances: int | None
    repository: str


class Build(TypedDict):
    """One attempt to turn a commit into an artifact."""

    id: str
    commit: str
    ref: str
    builder: str
    state: str
    reason: str
    artifact: str | None
    process_types: dict[str, str]
    actor: str
    created_at: str
    ended_at: str | None


class Deployment(TypedDict):
    """How making a release current went, or how far it has come."""

    id: str
    app: str
    kind: str
    state: str
    code: str
    exit_code: int
    reason: str
    changed: bool
    build: str | None
    release: int | None
    serving: int | None
    url: str


class OutputLine(TypedDict):
    """One line of a deployment's output; `sequence` resumes the stream."""

    sequence: int
    at: str
    kind: str
    text: str


class DeploymentEnd(TypedDict):
    """The last record of a deployment's output."""

    deployment: Deployment


class Release(TypedDict):
    """One row of `mini releases`."""

    version: int
    kind: str
    description: str
    commit: str | None
    build: str | None
    status: str
    reason: str
    current: bool
    actor: str
    created_at: str
    config_keys: list[str]
    process_types: dict[str, str]
    origin: int
    rollback_target: bool
    url: str | None


class ConfigChange(TypedDict):
    """A variable, or a process type, that differs."""

    key: str
    change: str
    before: str | None
    after: str | None


class RollbackPreview(TypedDict):
    """What a rollback would do."""

    target: int
    current: int
    commit: str | None
    config_changes: list[ConfigChange]


class ReleaseDiff(TypedDict):
    """What differs between two releases."""

    a: int
    b: int
    commit_a: str | None
    commit_b: str | None
    config: list[ConfigChange]
    process_types: list[ConfigChange]
    commits: list[str]


class Config(TypedDict):
    """The variables of the release that serves."""

    release: int | None
    variables: dict[str, str]


class Formation(TypedDict):
    """How many instances of each type there should be, and what each runs."""

    types: dict[str, int]
    commands: dict[str, str]


class Instance(TypedDict):
    """One row of `mini ps`."""

    name: str
    type: str
    state: str
    release: int
    pid: int | None
    container: str | None
    port: int | None
    restarts: int
    exit: str | None
    retry_in: float | None
    cause: str
    since: str
    command: str
    one_off: bool


class Restart(TypedDict):
    """What is restarted."""

    instances: list[str]


class Run(TypedDict):
    """A one-off that was started."""

    name: str
    id: str
    release: int
    command: str


class LogLine(TypedDict):
    """One line of an app's log; `sequence` resumes the stream."""

    sequence: int
    at: str
    source: str
    instance: str
    release: int
    text: str


class Certificate(TypedDict):
    """The certificate of a domain."""

    origin: str
    expires_at: str


class Domain(TypedDict):
    """A host of an app."""

    host: str
    created_at: str | None
    url: str
    tls: Certificate | None


class Authority(TypedDict):
    """The local authority, with its certificate as PEM."""

    certificate: str


class Maintenance(TypedDict):
    """Whether every request gets the maintenance page."""

    maintenance: bool


class Stickiness(TypedDict):
    """Whether a browser stays with the instance that answered it first."""

    sticky: bool


class Route(TypedDict):
    """Where a host's requests go."""

    host: str
    app: str
    backends: list[str]
    tls: bool
    maintenance: bool


class Check(TypedDict):
    """A health check that the app asks for."""

    type: str
    kind: str
    path: str | None
    attempts: int
    interval: float
    timeout: float


class CheckResult(TypedDict):
    """How one instance answered a check."""

    instance: str
    check: str
    ok: bool
    message: str


class Event(TypedDict):
    """A fact about the past."""

    id: int
    at: str
    kind: str
    app: str | None
    actor: str
    cause: str
    details: dict[str, str | int]


class Collected(TypedDict):
    """What was removed, or would be."""

    kind: str
    name: str
    bytes: int | None
    origin: str
