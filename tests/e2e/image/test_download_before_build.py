"""A build whose model is absent fetches it first, through the toolkit's own command, from a hub on loopback."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from image.build.build import prepare_model
from image.core.errors import WeightsError
from image.core.lock import Lock, read_lock
from tests.fakes.hub_server import HubServer
from tests.fakes.hub_user import FILES, MB, WEIGHTS, User, lock_of


@pytest.fixture(name="hub")
def _hub() -> Iterator[HubServer]:
    with HubServer(files=dict(FILES)) as hub:
        yield hub


@pytest.fixture(name="lock")
def _lock(tmp_path: Path, hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> Lock:
    """The made-up model's, in a home where the toolkit finds it too."""
    user = User(tmp_path, hub)
    user.lock_file.write_text(json.dumps(lock_of(FILES) | {"source_date_epoch": 0}))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    for name, value in user.environment.items():
        monkeypatch.setenv(name, value)
    return read_lock(user.lock_file)


def fetched(lock: Lock) -> tuple[Path, list[str]]:
    notes: list[str] = []
    return prepare_model(lock, notify=notes.append, listener=lambda _: None), notes


def test_it_is_fetched_once_and_checked_each_time(lock: Lock) -> None:
    folder, notes = fetched(lock)
    assert notes == ["+ toolkit download small-model --to models/Small-Model"]
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()} == FILES
    assert fetched(lock) == (folder, [])


def test_what_was_cut_goes_on_at_the_next_build(lock: Lock, hub: HubServer) -> None:
    hub.cuts[WEIGHTS] = [11 * MB]
    hub.dies_at_a_cut = True
    with pytest.raises(WeightsError, match="Could not download") as broken:
        fetched(lock)
    assert broken.value.next == "Run the same command again."
    hub.heal()
    fetched(lock)
    assert max(asked.from_byte or 0 for asked in hub.asked if asked.name == WEIGHTS) >= 10 * MB


def test_another_byte_is_never_baked_in(lock: Lock, hub: HubServer) -> None:
    hub.files["config.json"] = b'{"architectures": ["Other"]}'
    with pytest.raises(WeightsError, match="Could not download"):
        fetched(lock)
    assert not Path("models/Small-Model").exists()
