"""The API's documents as the command line reads them: types only, with the members that it uses."""

from typing import TypedDict


class Pids(TypedDict):
    control: int
    router: list[int]
    logs: int | None


class Server(TypedDict):
    version: str
    home: str
    engine: str
    socket: str
    api: str
    http: str
    pids: Pids
    started_at: str
    apps: int
    instances: int


class Finding(TypedDict):
    check: str
    ok: bool
    level: str
    message: str


class App(TypedDict):
    name: str
    url: str
    created_at: str
    release: int | None
    commit: str | None
    domains: list[str]
    formation: dict[str, int]
    instances: int
    repository: str


class Build(TypedDict):
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
    sequence: int
    at: str
    kind: str
    text: str


class Release(TypedDict):
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


class ConfigChange(TypedDict):
    key: str
    change: str
    before: str | None
    after: str | None


class RollbackPreview(TypedDict):
    target: int
    current: int
    commit: str | None
    config_changes: list[ConfigChange]


class ReleaseDiff(TypedDict):
    a: int
    b: int
    commit_a: str | None
    commit_b: str | None
    config: list[ConfigChange]
    process_types: list[ConfigChange]
    commits: list[str]


class Config(TypedDict):
    release: int | None
    variables: dict[str, str]


class Formation(TypedDict):
    types: dict[str, int]
    commands: dict[str, str]


class Instance(TypedDict):
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
    instances: list[str]


class Run(TypedDict):
    name: str
    id: str
    release: int
    command: str


class LogLine(TypedDict):
    sequence: int
    at: str
    source: str
    instance: str
    release: int
    text: str


class Domain(TypedDict):
    host: str
    created_at: str | None


class Route(TypedDict):
    host: str
    app: str
    backends: list[str]


class Check(TypedDict):
    type: str
    kind: str
    path: str | None
    attempts: int
    interval: float
    timeout: float


class CheckResult(TypedDict):
    instance: str
    check: str
    ok: bool
    message: str


class Event(TypedDict):
    id: int
    at: str
    kind: str
    app: str | None
    actor: str
    cause: str
    details: dict[str, str | int]


class Collected(TypedDict):
    kind: str
    name: str
    bytes: int
