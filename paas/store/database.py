"""The Store: opens the database of a home and hands out its repositories. It holds no rule of its own."""

from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

from paas.clock import Clock
from paas.settings import Settings
from paas.store.apps import Apps
from paas.store.ballast import Ballast
from paas.store.builds import Builds
from paas.store.certificates import Certificates
from paas.store.configs import Configs
from paas.store.connections import Connections
from paas.store.datakeys import HOME, DataKeys
from paas.store.deployments import Deployments
from paas.store.domains import Domains
from paas.store.errors import translating
from paas.store.events import Events
from paas.store.filesystem import filesystem_type, make_private, refuse_network
from paas.store.formations import Formations
from paas.store.idempotency import Idempotency
from paas.store.instances import Instances
from paas.store.keyring import DataKey, Keyring
from paas.store.meta import Meta, found_home
from paas.store.migrate import back_up, migrate
from paas.store.releases import Releases
from paas.store.schema import apps, certificates, deployments, domains, formations, releases, slots, traffic
from paas.store.seal import Seal
from paas.store.tickets import Tickets
from paas.store.traffic import TrafficRules

WHAT_SHOULD_RUN = (apps, certificates, deployments, domains, formations, releases, slots, traffic)
"""All that the supervisor's desired state is read from, but for builds, which change no more once they are released."""


class Store:
    """What one home remembers. Every method blocks: the event loop calls it by `paas.threads.in_thread`.

    Any method may raise DiskFullError, after which what takes little room still can be recorded: the ballast
    was given up for it.
    """

    def __init__(
        self, path: Path, *, connections: Connections, keyring: Keyring, ballast: Ballast, clock: Clock
    ) -> None:
        self._path = path
        self._ballast = ballast
        self._connections = connections
        data_keys = DataKeys(keyring, clock=clock)
        home_key = _home_key(connections, data_keys)
        self.apps = Apps(connections, data_keys=data_keys, clock=clock)
        self.builds = Builds(connections, clock=clock)
        self.configs = Configs(connections, data_keys=data_keys, clock=clock)
        self.releases = Releases(connections, seal=Seal(home_key), clock=clock)
        self.deployments = Deployments(connections, clock=clock)
        self.formations = Formations(connections)
        self.instances = Instances(connections, clock=clock)
        self.domains = Domains(connections, clock=clock)
        self.certificates = Certificates(connections, clock=clock)
        self.traffic = TrafficRules(connections)
        self.tickets = Tickets(home_key)
        self.events = Events(connections, clock=clock)
        self.idempotency = Idempotency(connections, key=home_key, clock=clock)
        self.meta = Meta(connections)

    @classmethod
    def open(cls, settings: Settings, *, clock: Clock) -> "Store":
        """Return the store of a home, made where it is missing, upgraded (after a backup) where it is older.

        Raises UnsupportedError on a network filesystem or for a database that a newer mini wrote, DamagedStoreError
        for one that is damaged or whose key file is missing, DiskFullError.
        """
        make_private(settings.home)
        refuse_network(settings.home, filesystem_type(settings.home))
        ballast = Ballast(settings.ballast)
        with ExitStack() as undo, translating(on_full=ballast.drop):
            migrate(settings, clock=clock)
            ballast.restore()
            connections = Connections(settings.database, on_full=ballast.drop, watched=WHAT_SHOULD_RUN)
            undo.callback(connections.close)
            with connections.read() as connection:
                needed = DataKeys.any(connection)
            keyring = Keyring.open(settings.key_file, needed=needed)
            store = cls(
                settings.database, connections=connections, keyring=keyring, ballast=ballast, clock=clock
            )
            undo.pop_all()
        return store

    def close(self) -> None:
        """Let go of the database; nothing of the store is used after it."""
        self._connections.close()

    def transaction(self) -> AbstractContextManager[None]:
        """Make one transaction of all that this thread asks of the store inside: all of it happens, or nothing."""
        return self._connections.transaction()

    def snapshot(self) -> AbstractContextManager[None]:
        """Let all that this thread reads inside be of one moment."""
        return self._connections.snapshot()

    @property
    def version(self) -> int:
        """A number that is another one once what should run was changed. It never blocks."""
        return self._connections.version

    def backup(self, target: Path) -> None:
        """Copy the database as it is now to `target`. Without the key file of this home its secrets stay shut."""
        with translating(on_full=self._ballast.drop):
            back_up(self._path, target)

    def reclaim_ballast(self) -> None:
        """Make the ballast again after a full disk, where there is room for it."""
        self._ballast.restore()


def _home_key(connections: Connections, data_keys: DataKeys) -> DataKey:
    with connections.write() as connection:
        found_home(connection)
        return data_keys.find(connection, HOME) or data_keys.create(connection, HOME)
