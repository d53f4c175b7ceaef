"""The seal of a release: a keyed hash over its build's artifact and its config, checked before it is activated."""

import hmac
import json

from sqlalchemy import Connection, select

from paas.domain.ids import AppId, BuildId, ConfigId
from paas.domain.release import Release
from paas.store.configs import encrypted_values
from paas.store.errors import DamagedStoreError
from paas.store.keyring import DataKey
from paas.store.schema import builds


class Seal:
    """Makes and checks content hashes. Two releases of the same build and config have the same one."""

    def __init__(self, key: DataKey) -> None:
        self._key = key

    def of(self, connection: Connection, *, app: AppId, build: BuildId | None, config: ConfigId) -> str:
        """Return the content hash of a build and a config as the database holds them now."""
        built = select(builds.c.commit, builds.c.artifact, builds.c.manifest).where(builds.c.id == build)
        document = {
            "app": app,
            "build": build,
            "built": [list(row) for row in connection.execute(built)],
            "config": config,
            "values": [[name, value.hex()] for name, value in encrypted_values(connection, config).items()],
        }
        return self._key.seal(json.dumps(document).encode(), purpose="release").hex()

    def check(self, connection: Connection, release: Release) -> None:
        """Raise DamagedStoreError where the content is not what it was when the release was made."""
        now = self.of(connection, app=release.app, build=release.build, config=release.config)
        if not hmac.compare_digest(now, release.content_hash):
            raise DamagedStoreError(
                f"The content of release {release.name} was changed in the database since it was made; it is not "
                "started. Push its commit again, or restore the newest file of `backups` in the state directory."
            )
