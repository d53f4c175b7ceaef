"""Instances: an intent row before the start, then what became of it. It starts and watches nothing itself."""

from collections.abc import Callable, Collection, Mapping

from sqlalchemy import Connection, RowMapping, delete, func, insert, select, update

from paas.clock import Clock, rfc3339
from paas.domain.ids import AppId, InstanceId, new_id
from paas.domain.instance import ExitStatus, Identity, Instance, InstanceState
from paas.domain.names import ProcessType
from paas.domain.release import DeploymentState, Release
from paas.errors import ConflictError, NotFoundError
from paas.store.codec import decode_identity, decode_moment, decode_optional_moment, encode_identity
from paas.store.connections import Connections, Query
from paas.store.ports import allot
from paas.store.schema import apps, deployments, instances

KEPT = 20
"""Ended instances kept of each slot, and of an app's one-offs together."""


class Instances:
    """The instances of every app, living and ended."""

    def __init__(self, connections: Connections, *, clock: Clock) -> None:
        self._connections = connections
        self._clock = clock

    def begin(
        self,
        *,
        app: AppId,
        release: Release,
        type: ProcessType,  # noqa: A002 - the word of the glossary
        index: int,
        epoch: int,
        cause: str,
        wants_port: bool,
        restarts: int,
        streak: int,
        one_off: bool,
        boot_id: str,
        time_limit: float | None = None,
        avoid_ports: Collection[int] = (),
        is_free: Callable[[int], bool] = lambda _: True,
    ) -> Instance:
        """Return the intent of a new instance, STARTING, with a port of its own where it wants one.

        `is_free` tells, quickly, whether a port can be listened on now: nothing else of the machine is known here.

        Raises ConflictError where every port is taken.
        """
        id = InstanceId(new_id())
        with self._connections.write() as connection:
            connection.execute(
                insert(instances).values(
                    id=id,
                    app=app,
                    release=release.id,
                    version=release.version,
                    type=type,
                    index=index,
                    epoch=epoch,
                    state=InstanceState.STARTING,
                    boot_id=boot_id,
                    created_at=rfc3339(self._clock.now()),
                    started_monotonic=self._clock.monotonic(),
                    port=allot(connection, avoid=avoid_ports, is_free=is_free) if wants_port else None,
                    out_of_memory=False,
                    cause=cause,
                    restarts=restarts,
                    streak=streak,
                    one_off=one_off,
                    time_limit=time_limit,
                )
            )
            return _by_id(connection, id)

    def identified(self, id: InstanceId, identity: Identity) -> Instance:
        """Record who the instance is, once it was started; raises NotFoundError, or ConflictError once it ended."""
        return self._change(id, {"identity": encode_identity(identity)})

    def up(self, id: InstanceId, *, address: str | None = None, cause: str = "healthy") -> Instance:
        """Record that it is up, why, and where the router finds it; raises as `identified` does."""
        return self._change(
            id,
            {
                "state": InstanceState.UP,
                "address": address,
                "up_at": rfc3339(self._clock.now()),
                "up_monotonic": self._clock.monotonic(),
                "cause": cause,
            },
        )

    def transition(self, id: InstanceId, state: InstanceState, *, cause: str) -> Instance:
        """Record a state other than EXITED, and why; raises as `identified` does."""
        return self._change(id, {"state": state, "cause": cause})

    def ended(self, id: InstanceId, status: ExitStatus, *, cause: str) -> Instance:
        """Record its end, which frees its port; the oldest ended ones of its slot are forgotten beyond 20.

        Repeating it changes nothing: the first end stays. Raises NotFoundError.
        """
        with self._connections.write() as connection:
            instance = _by_id(connection, id)
            if instance.state is InstanceState.EXITED:
                return instance
            _set(
                connection,
                id,
                {
                    "state": InstanceState.EXITED,
                    "ended_at": rfc3339(self._clock.now()),
                    "ended_monotonic": self._clock.monotonic(),
                    "exit_code": status.code,
                    "out_of_memory": status.out_of_memory,
                    "cause": cause,
                },
            )
            _forget_oldest(connection, instance)
            return _by_id(connection, id)

    def living(self) -> list[Instance]:
        """Return all that have not exited, in the order they were begun."""
        query = select(instances).where(instances.c.ended_at.is_(None))
        return self._all(query.order_by(instances.c.sequence))

    def last_ended(self, *, boot_id: str | None = None) -> list[Instance]:
        """Return the newest ended instance of each slot of the releases that serve or boot, one-offs left out.

        With `boot_id` only those of that boot: the monotonic times of an earlier one mean nothing any more.
        """
        serving = select(apps.c.current).where(apps.c.current.is_not(None))
        booting = select(deployments.c.release).where(
            deployments.c.state == DeploymentState.STARTING, deployments.c.ended_at.is_(None)
        )
        ended = select(func.max(instances.c.sequence)).where(
            instances.c.ended_at.is_not(None),
            instances.c.one_off == 0,
            instances.c.release.in_(serving.union_all(booting)),
        )
        if boot_id is not None:
            ended = ended.where(instances.c.boot_id == boot_id)
        slot = (instances.c.app, instances.c.release, instances.c.type, instances.c["index"])
        newest = ended.group_by(*slot)
        return self._all(
            select(instances).where(instances.c.sequence.in_(newest)).order_by(instances.c.sequence)
        )

    def _change(self, id: InstanceId, values: "Mapping[str, str | float | None]") -> Instance:
        with self._connections.write() as connection:
            instance = _by_id(connection, id)
            if instance.state is InstanceState.EXITED:
                raise ConflictError(f"The instance {instance.name} ({id}) has already exited.")
            _set(connection, id, values)
            return _by_id(connection, id)

    def _all(self, query: Query) -> list[Instance]:
        return [_instance_from(row) for row in self._connections.rows(query)]

    def list(self, app: AppId) -> list[Instance]:
        """Return what is known of an app's instances, ended ones too, by slot and then oldest first."""
        slot = (instances.c.type, instances.c["index"], instances.c.sequence)
        return self._all(select(instances).where(instances.c.app == app).order_by(*slot))


def _by_id(connection: Connection, id: InstanceId) -> Instance:
    row = connection.execute(select(instances).where(instances.c.id == id)).mappings().first()
    if row is None:
        raise NotFoundError(f"There is no instance {id}.")
    return _instance_from(row)


def _set(connection: Connection, id: InstanceId, values: Mapping[str, str | float | None]) -> None:
    connection.execute(update(instances).where(instances.c.id == id).values(**values))


def _forget_oldest(connection: Connection, like: Instance) -> None:
    alike = [instances.c.app == like.app, instances.c.type == like.type, instances.c.one_off == like.one_off]
    if not like.one_off:
        alike.append(instances.c["index"] == like.index)
    ended = select(instances.c.sequence).where(*alike, instances.c.ended_at.is_not(None))
    beyond = ended.order_by(instances.c.sequence.desc()).limit(-1).offset(KEPT)
    connection.execute(delete(instances).where(instances.c.sequence.in_(beyond)))


def _instance_from(row: RowMapping) -> Instance:
    exited = row["state"] == InstanceState.EXITED
    return Instance(
        id=row["id"],
        app=row["app"],
        release=row["release"],
        version=row["version"],
        type=row["type"],
        index=row["index"],
        epoch=row["epoch"],
        state=InstanceState(row["state"]),
        created_at=decode_moment(row["created_at"]),
        started_monotonic=row["started_monotonic"],
        port=row["port"],
        address=row["address"],
        identity=decode_identity(row["identity"]),
        up_at=decode_optional_moment(row["up_at"]),
        up_monotonic=row["up_monotonic"],
        ended_at=decode_optional_moment(row["ended_at"]),
        ended_monotonic=row["ended_monotonic"],
        exit=ExitStatus(row["exit_code"], out_of_memory=bool(row["out_of_memory"])) if exited else None,
        cause=row["cause"],
        restarts=row["restarts"],
        streak=row["streak"],
        one_off=bool(row["one_off"]),
        time_limit=row["time_limit"],
    )
