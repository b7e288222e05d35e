"""What the tests of downloads share: a hub on loopback, a user of it, and a disk that is too small."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.disk import disk
from tests.fakes.hub_server import HubServer
from tests.fakes.hub_user import FILES, User


@pytest.fixture(name="hub")
def _hub() -> Iterator[HubServer]:
    with HubServer(files=dict(FILES)) as hub:
        yield hub


@pytest.fixture(name="user")
def _user(tmp_path: Path, hub: HubServer) -> User:
    return User(tmp_path, hub)


@pytest.fixture(name="small_disk")
def _small_disk(tmp_path: Path) -> Iterator[Path]:
    with disk(tmp_path / "disk", "size=12m") as small:
        yield small
