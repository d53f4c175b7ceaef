"""The documents that go over the API, and nothing else: pydantic models, one a resource."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, WithJsonSchema

from paas.clock import rfc3339

Moment = Annotated[
    datetime,
    PlainSerializer(rfc3339, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""A time, always written with its microseconds (RFC 3339)."""


class Document(BaseModel):
    """What all documents share: unknown members of a request are refused, not dropped in silence."""

    model_config = ConfigDict(extra="forbid", frozen=True)


# -- problems ---------------------------------------------------------------------------------------------------
class Problem(Document):
    """An error (RFC 9457). `code` stands beside the exit code in one table, `paas.errors.OUTCOMES`."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    code: str
    request_id: str


# -- the server -------------------------------------------------------------------------------------------------
class Pids(Document):
    """The processes of the three planes."""

    control: int
    router: list[int]
    logs: int | None


class Server(Document):
    """What `mini server status` shows; addresses are as bound."""

    version: str
    home: str
    home_id: str
    """Marks what this home has made: the label `mini.home` of its containers and networks, `mini.image.home` of its
    images, MINI_HOME_ID of its processes."""
    engine: str
    socket: str
    api: str
    http: str
    https: str | None
    """None where HTTPS is off, or its default address was taken."""
    pids: Pids
    started_at: Moment
    apps: int
    instances: int | None
    """How many start or are up; None while the engine does not answer."""


class ServerStop(Document):
    """How to stop the server."""

    keep_apps: bool = False


class Health(Document):
    """Whether the control plane is well."""

    status: Literal["ok"]
    version: str


class Finding(Document):
    """One line of `mini doctor`."""

    check: str
    ok: bool
    level: Literal["ok", "warning", "error"]
    message: str


# -- apps -------------------------------------------------------------------------------------------------------
class NewApp(Document):
    """An app to create."""

    name: str | None = Field(default=None, examples=["shop"])
    """None lets the server make a name up."""


class AppRename(Document):
    """An app's new name."""

    name: str = Field(examples=["store"])


class App(Document):
    """An app, and what of it serves."""

    id: str
    name: str = Field(examples=["shop"])
    url: str = Field(examples=["http://shop.localhost:8080"])
    created_at: Moment
    release: int | None
    """The version that serves, None before the first release."""
    commit: str | None
    domains: list[str]
    formation: dict[str, int]
    instances: int | None
    """How many are up now; None while the engine does not answer."""
    repository: str
    """The git remote: `mini::shop`."""


# -- builds -----------------------------------------------------------------------------------------------------
class Build(Document):
    """One attempt to turn a commit into an artifact."""

    id: str
    commit: str
    ref: str
    builder: str
    state: Literal["running", "succeeded", "failed", "cancelled"]
    reason: str
    artifact: str | None
    """The slug's key or the image's digest; None where it failed or was pruned."""
    process_types: dict[str, str]
    actor: str
    created_at: Moment
    ended_at: Moment | None


# -- deployments: every releasing command makes one ----------------------------------------------------------------
class NewDeployment(Document):
    """A commit to deploy, whose objects were pushed before."""

    commit: str = Field(examples=["3f2c1abf0c3b3c6c1a2f0e9d8c7b6a5f4e3d2c1b"])
    ref: str = Field(default="HEAD", examples=["main"])
    message: str = ""
    no_cache: bool = False
    wait_lock: float = Field(default=900.0, ge=0, le=86400)


class Deployment(Document):
    """`code`, `reason` and `exit_code` say how it failed. `changed` is False where there was nothing to do."""

    id: str
    app: str
    kind: Literal["push", "config", "rollback", "revert"]
    state: Literal["queued", "building", "releasing", "starting", "succeeded", "failed", "cancelled"]
    code: str
    exit_code: int
    reason: str
    changed: bool
    build: str | None
    release: int | None
    """The version that it made, None while there is none."""
    serving: int | None
    """The version that serves now."""
    url: str
    actor: str
    created_at: Moment
    ended_at: Moment | None


class OutputLine(Document):
    """One line of a deployment's output. `sequence` is a cursor for `after`."""

    sequence: int
    at: Moment
    kind: Literal["step", "output", "warning", "error"]
    text: str


class DeploymentEnd(Document):
    """What ends the output of a deployment: the deployment as it is then, which saves asking for it."""

    deployment: Deployment


# -- releases ---------------------------------------------------------------------------------------------------
class Release(Document):
    """A release, how its deployment went, and whether it serves."""

    version: int
    kind: Literal["deploy", "config", "rollback"]
    description: str
    commit: str | None
    build: str | None
    status: Literal["pending", "succeeded", "failed", "cancelled"]
    reason: str
    current: bool
    actor: str
    created_at: Moment
    config_keys: list[str]
    process_types: dict[str, str]
    origin: int
    rollback_target: bool
    """Whether `rollback` could go there: it served, and its artifact is still there."""
    url: str | None
    """Where this release alone is reached, None while none of its web instances takes requests."""


class NewRollback(Document):
    """Where to go back to; without a release, to the one that served before."""

    release: str | None = Field(default=None, examples=["v41"])
    dry_run: bool = False
    wait_lock: float = Field(default=900.0, ge=0, le=86400)


class RollbackPreview(Document):
    """What a rollback would do: nothing was changed."""

    target: int
    current: int
    commit: str | None
    config_changes: list["ConfigChange"]


class ConfigChange(Document):
    """One variable that differs. Values are `[hidden]` unless they were asked to be revealed."""

    key: str
    change: Literal["added", "removed", "changed"]
    before: str | None
    after: str | None


class ReleaseDiff(Document):
    """What differs from release `a` to release `b`."""

    a: int
    b: int
    commit_a: str | None
    commit_b: str | None
    config: list[ConfigChange]
    process_types: list[ConfigChange]
    commits: list[str]
    """One line for each commit between them, newest first, where one is an ancestor of the other."""


# -- config -----------------------------------------------------------------------------------------------------
class Config(Document):
    """The variables of the release that serves, values included: `mini config` alone shows them."""

    release: int | None
    variables: dict[str, str]


class ConfigPatch(Document):
    """Variables to set; None unsets one. All or nothing."""

    changes: dict[str, str | None] = Field(examples=[{"DEBUG": "0", "OLD": None}])
    wait_lock: float = Field(default=900.0, ge=0, le=86400)


# -- formation and instances ------------------------------------------------------------------------------------
class Formation(Document):
    """How many instances of each process type there should be."""

    types: dict[str, int] = Field(examples=[{"web": 3, "worker": 1}])
    commands: dict[str, str]


class FormationPatch(Document):
    """Scale tokens, applied together or not at all: `TYPE=N`, `TYPE+N`, `TYPE-N`."""

    changes: list[str] = Field(examples=[["web=3", "worker+1"]], min_length=1)
    wait: bool = True
    """Return when what was added is up."""


class Instance(Document):
    """One instance, as `mini ps` shows it."""

    name: str = Field(examples=["web.1"])
    id: str
    type: str
    state: Literal["starting", "up", "draining", "stopping", "crashed", "stopped", "unknown"]
    """`unknown`: it was alive when it was last seen, and the engine does not answer now."""
    release: int
    pid: int | None
    container: str | None
    port: int | None
    restarts: int
    exit: str | None
    """How it last ended: `exit 1`, `signal 9`, `out of memory`, `exit unknown`."""
    retry_in: float | None
    """Seconds until it is started again, where it is crashed."""
    cause: str
    since: Moment
    command: str
    one_off: bool


class NewRestart(Document):
    """What to restart: all, a process type, or one instance."""

    target: str | None = Field(default=None, examples=["web", "web.1"])
    wait: bool = True


class Restart(Document):
    """The instances that are being replaced."""

    instances: list[str]


class NewRun(Document):
    """A one-off. A first word that is a process type runs that type's command, further words appended."""

    command: list[str] = Field(min_length=1, examples=[["migrate"]])
    environment: dict[str, str] = Field(default_factory=dict)
    release: str | None = None
    terminal: "TerminalSize | None" = None
    term: str | None = Field(
        default=None, description="The terminal's TERM, which config and environment may override."
    )
    timeout: float | None = Field(default=None, gt=0)


class TerminalSize(Document):
    """A terminal's size in character cells."""

    rows: Annotated[int, Field(ge=1, le=10000)] = 24
    columns: Annotated[int, Field(ge=1, le=10000)] = 80


class Run(Document):
    """A one-off that was started."""

    name: str = Field(examples=["run.1"])
    id: str
    release: int
    command: str


# -- logs, routes, events ---------------------------------------------------------------------------------------
class LogLine(Document):
    """One line of the log. `sequence` is a cursor for `after`."""

    sequence: int
    at: Moment
    source: Literal["app", "mini"]
    instance: str
    release: int
    text: str


class NewCertificate(Document):
    """A certificate from files, both PEM; without them the local authority issues one."""

    chain: str | None = Field(default=None, max_length=1024 * 1024)
    """The host's own certificate, then those of its issuers."""
    key: str | None = Field(default=None, max_length=64 * 1024)


class NewDomain(Document):
    """A host to route to the app. With `tls`, a host that is a domain of the app already gets a certificate."""

    host: str = Field(examples=["shop.example.com"])
    tls: NewCertificate | None = None


class Certificate(Document):
    """The certificate of a domain."""

    origin: Literal["issued", "given"]
    """By the local authority, which renews it, or from files."""
    fingerprint: str
    """SHA-256."""
    expires_at: Moment


class Domain(Document):
    """A host that is routed to the app."""

    host: str
    created_at: Moment | None
    """None for the app's own host, which it always has."""
    url: str
    tls: Certificate | None


class Authority(Document):
    """The local authority, which issues certificates for domains. Its private key stays on the server."""

    certificate: str
    """PEM."""


class Maintenance(Document):
    """Whether every request gets the maintenance page."""

    maintenance: bool


class Stickiness(Document):
    """Whether a browser stays with the backend that answered it first."""

    sticky: bool


class Route(Document):
    """One host, and the instances behind it now."""

    host: str
    app: str
    backends: list[str] = Field(examples=[["web.1", "web.2"]])
    tls: bool
    maintenance: bool


class Check(Document):
    """A health check that the serving release asks for."""

    type: str
    kind: Literal["startup", "liveness"]
    path: str | None
    attempts: int
    interval: float
    timeout: float


class CheckResult(Document):
    """How one check of one instance went."""

    instance: str
    check: str
    ok: bool
    message: str


class Event(Document):
    """A fact about the past."""

    id: int
    at: Moment
    kind: str
    app: str | None
    actor: str
    cause: str
    details: dict[str, str | int]


class GarbageCollection(Document):
    """What to keep, and whether only to tell."""

    dry_run: bool = False
    keep: int | None = Field(default=None, ge=1, le=1000)


class Collected(Document):
    """What was removed, or would be."""

    kind: Literal["artifact", "repository", "output", "log", "cache"]
    name: str
    bytes: int | None
    """What that frees; null of an image, which shares its layers with others."""
    origin: str
    """The app and the commit of an artifact, where a build has it; else empty."""
