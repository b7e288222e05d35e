"""`toolkit download --source modelscope`, with that hub's own client, against its shape on loopback."""

import signal
import time
from pathlib import Path

import pytest

from tests.fakes.command import PATIENCE_S
from tests.fakes.hub_server import HubServer
from tests.fakes.hub_user import MB, SOON_S, WEIGHTS, User, fetch_weights, wait_for_size
from toolkit.core.errors import ModelError


def test_modelscope_gives_the_same_bytes_and_the_lock_decides(user: User) -> None:
    done = user.downloads("--source", "modelscope")

    assert done.returncode == 0, done.stderr
    assert done.stdout == "models/Small-Model\n"
    assert "revision: master" in done.stderr
    assert user.has_the_whole_model()


def test_modelscope_goes_on_after_a_stop_too(user: User) -> None:
    user.hub.stalls[WEIGHTS] = 15 * MB
    child = user.starts("download", "small-model", "--source", "modelscope")
    assert user.hub.stalled.wait(30)
    wait_for_size(user.partial / f"{WEIGHTS}.incomplete", 14 * MB)
    child.send_signal(signal.SIGINT)
    child.communicate(timeout=PATIENCE_S)
    arrived = (user.partial / f"{WEIGHTS}.incomplete").stat().st_size

    assert child.returncode == 130

    user.hub.heal()
    user.hub.asked.clear()
    done = user.downloads("--source", "modelscope")

    assert done.returncode == 0, done.stderr
    assert user.hub.sent(WEIGHTS) == [arrived]
    assert user.has_the_whole_model()


def test_a_wrong_byte_from_modelscope_is_found_by_the_lock(user: User) -> None:
    user.hub.files["tokenizer.json"] = bytes(200_000)
    done = user.downloads("--source", "modelscope")

    assert done.returncode == 4
    assert "tokenizer.json: sha256" in done.stderr
    assert not user.target.exists()


@pytest.mark.parametrize(("status", "expected"), [(404, "not found"), (403, "(403): it is gated, private or missing")])
def test_a_refusal_of_modelscope_is_reported_with_its_reason(user: User, status: int, expected: str) -> None:
    user.hub.refusals["tokenizer.json"] = (status, "")
    done = user.downloads("--source", "modelscope")

    assert done.returncode == 4
    assert expected in done.stderr


def test_modelscope_out_of_reach_is_reported_after_a_few_seconds(user: User) -> None:
    began = time.monotonic()
    done = user.downloads("--source", "modelscope", "--endpoint", "http://127.0.0.1:9")

    assert done.returncode == 4
    assert time.monotonic() - began < SOON_S
    assert "cannot be reached" in done.stderr


def test_modelscope_on_a_full_disk_is_reported_as_such(hub: HubServer, small_disk: Path) -> None:
    with pytest.raises(ModelError, match="The disk is full"):
        fetch_weights(hub, small_disk, "modelscope")
