"""A large file comes in pieces, several at a time, from a hub on loopback; here pieces are small."""

import hashlib
import os
from pathlib import Path

import pytest

from tests.fakes.hub_server import HubServer
from tests.fakes.hub_user import FILES, MB, WEIGHTS, fetch_weights
from toolkit.core.errors import ModelError
from toolkit.core.file_stats import known_sha256
from toolkit.model.hub import pieces

PIECE = 3 * MB
PIECES = 24 // 3


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(pieces, "PIECE_BYTES", PIECE)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_every_piece_is_asked_for_once_and_the_hash_is_known_with_the_last_byte(hub: HubServer, tmp_path: Path) -> None:
    fetch_weights(hub, tmp_path)

    assert (tmp_path / WEIGHTS).read_bytes() == FILES[WEIGHTS]
    assert sorted(map(int, hub.sent(WEIGHTS))) == [piece * PIECE for piece in range(PIECES)]  # type: ignore[arg-type]
    assert known_sha256(tmp_path / WEIGHTS) == hashlib.sha256(FILES[WEIGHTS]).hexdigest()
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == [WEIGHTS]


def test_what_arrived_before_the_hub_died_is_not_fetched_again(hub: HubServer, tmp_path: Path) -> None:
    hub.cuts[WEIGHTS] = [2 * PIECE] * 6 + [MB]  # six whole pieces, and a part of one
    hub.dies_at_a_cut = True
    with pytest.raises(ModelError, match=WEIGHTS):
        fetch_weights(hub, tmp_path)
    there = pieces.present_bytes(tmp_path / f"{WEIGHTS}.incomplete")

    hub.heal()
    hub.asked.clear()
    fetch_weights(hub, tmp_path)

    assert 0 < there < 24 * MB
    assert len(set(hub.sent(WEIGHTS))) == PIECES - there // PIECE  # a thread of the first may still ask for its own
    assert (tmp_path / WEIGHTS).read_bytes() == FILES[WEIGHTS]


def test_the_beginning_that_one_connection_left_is_kept(hub: HubServer, tmp_path: Path) -> None:
    """As an older version left it, or a hub that gives no parts."""
    (tmp_path / f"{WEIGHTS}.incomplete").write_bytes(FILES[WEIGHTS][: 4 * PIECE + 5])
    fetch_weights(hub, tmp_path)

    assert min(map(int, hub.sent(WEIGHTS))) == 4 * PIECE + 5  # type: ignore[arg-type]
    assert (tmp_path / WEIGHTS).read_bytes() == FILES[WEIGHTS]


def test_pieces_of_another_size_are_not_taken_for_these(
    hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arriving = tmp_path / f"{WEIGHTS}.incomplete"
    arriving.write_bytes(os.urandom(24 * MB))
    pieces.record_of(arriving).write_text('{"piece_bytes": 7, "present": [7, 7]}')
    fetch_weights(hub, tmp_path)

    assert len(hub.sent(WEIGHTS)) == PIECES
    assert (tmp_path / WEIGHTS).read_bytes() == FILES[WEIGHTS]


def test_a_hub_that_gives_no_parts_is_asked_for_the_whole(hub: HubServer, tmp_path: Path) -> None:
    hub.knows_ranges = False
    fetch_weights(hub, tmp_path)

    assert (tmp_path / WEIGHTS).read_bytes() == FILES[WEIGHTS]
    assert not pieces.record_of(tmp_path / f"{WEIGHTS}.incomplete").exists()
