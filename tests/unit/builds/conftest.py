import asyncio
from pathlib import Path

import pytest

from tests.unit.builds.repos import SHOP, Server, WorkTree


@pytest.fixture
def server(tmp_path: Path) -> Server:
    server = Server(tmp_path / "home")
    server.settings.home.mkdir()
    asyncio.run(server.repositories.ensure(SHOP.id))
    return server


@pytest.fixture
def work(tmp_path: Path) -> WorkTree:
    return WorkTree(tmp_path / "work")
