"""`toolkit download`, as a user runs it, against a hub on loopback."""

import hashlib
import json
import re
import signal
import time
from pathlib import Path

import pytest

from tests.fakes.command import PATIENCE_S
from tests.fakes.hub_server import HubServer
from tests.fakes.hub_user import FILES, MB, SOON_S, WEIGHTS, User, fetch_weights, lock_of, wait_for_size
from toolkit.core.errors import ModelError


def test_a_download_ends_with_the_whole_folder_and_prints_nothing_else(user: User) -> None:
    done = user.downloads()

    assert done.returncode == 0, done.stderr
    assert done.stdout == "models/Small-Model\n"
    assert "3 files" in done.stderr
    assert user.has_the_whole_model()


def test_to_names_the_folder_and_endpoint_the_hub(user: User) -> None:
    user.environment["HF_ENDPOINT"] = "http://127.0.0.1:9"
    done = user.downloads("--to", user.home / "elsewhere", "--endpoint", f"{user.hub.url}/")

    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{user.home / 'elsewhere'}\n"
    assert (user.home / "elsewhere" / WEIGHTS).read_bytes() == FILES[WEIGHTS]


def test_a_whole_folder_is_not_fetched_again_and_asks_no_network(user: User) -> None:
    user.downloads()
    user.hub.asked.clear()
    user.hub.dead = True
    done = user.downloads()

    assert done.returncode == 0
    assert done.stdout == "models/Small-Model\n"
    assert "Nothing was downloaded" in done.stderr
    assert user.hub.asked == []


def test_a_connection_cut_once_is_resumed_by_the_client_itself(user: User) -> None:
    user.hub.cuts[WEIGHTS] = [15 * MB]
    done = user.downloads()

    assert done.returncode == 0, done.stderr
    assert user.hub.sent(WEIGHTS) == [None, 10 * MB]
    assert user.has_the_whole_model()


def test_a_hub_that_dies_in_the_middle_leaves_what_came_and_the_next_run_asks_for_the_rest(user: User) -> None:
    user.hub.cuts[WEIGHTS] = [15 * MB]
    user.hub.dies_at_a_cut = True
    cut = user.downloads()
    arrived = (user.partial / f"{WEIGHTS}.incomplete").stat().st_size

    assert cut.returncode == 4
    assert WEIGHTS in cut.stderr
    assert "--source" in cut.stderr
    assert "Traceback" not in cut.stderr
    assert not user.target.exists()
    assert arrived == 10 * MB

    user.hub.heal()
    user.hub.asked.clear()
    done = user.downloads()

    assert done.returncode == 0, done.stderr
    assert [(asked.name, asked.from_byte) for asked in user.hub.asked] == [(WEIGHTS, arrived)]
    assert user.has_the_whole_model()


@pytest.mark.parametrize(("stop", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 130), (signal.SIGKILL, -9)])
def test_a_stopped_download_goes_on_where_it_stopped(user: User, stop: signal.Signals, code: int) -> None:
    user.hub.stalls[WEIGHTS] = 15 * MB
    child = user.starts("download", "small-model")
    assert user.hub.stalled.wait(30)
    wait_for_size(user.partial / f"{WEIGHTS}.incomplete", 10 * MB)
    child.send_signal(stop)
    _, err = child.communicate(timeout=PATIENCE_S)

    assert child.returncode == code
    assert not user.target.exists()
    assert "The same command resumes it" in err or stop != signal.SIGINT

    user.hub.heal()
    user.hub.asked.clear()
    done = user.downloads()

    assert done.returncode == 0, done.stderr
    assert user.hub.sent(WEIGHTS) == [10 * MB]
    assert user.has_the_whole_model()


def test_a_wrong_byte_stops_the_download_and_the_healed_hub_gives_only_that_file(user: User) -> None:
    user.hub.files[WEIGHTS] = FILES[WEIGHTS][:-1] + bytes([FILES[WEIGHTS][-1] ^ 1])
    wrong = user.downloads()

    assert wrong.returncode == 4
    assert wrong.stdout == ""
    assert f"{WEIGHTS}: sha256 {hashlib.sha256(user.hub.files[WEIGHTS]).hexdigest()[:12]}" in wrong.stderr
    assert hashlib.sha256(FILES[WEIGHTS]).hexdigest()[:12] in wrong.stderr
    assert not user.target.exists()
    assert not (user.partial / WEIGHTS).exists()

    user.hub.files[WEIGHTS] = FILES[WEIGHTS]
    user.hub.asked.clear()
    done = user.downloads()

    assert done.returncode == 0, done.stderr
    assert {asked.name for asked in user.hub.asked} == {WEIGHTS}
    assert user.has_the_whole_model()


def test_a_file_of_another_size_is_refused_before_its_bytes_are_fetched(user: User) -> None:
    user.hub.files[WEIGHTS] = FILES[WEIGHTS][:-1]
    done = user.downloads()

    assert done.returncode == 4
    assert f"{WEIGHTS}: the hub offers {24 * MB - 1} bytes, the lock says {24 * MB}" in done.stderr
    assert user.hub.sent(WEIGHTS) == []
    assert not user.target.exists()


@pytest.mark.parametrize(
    ("status", "error_code", "expected"),
    [
        (404, "EntryNotFound", "not found in maker/small-model (404)"),
        (404, "", "not found in maker/small-model (404)"),
        (401, "", "(401): it is gated, private or missing"),
        (403, "GatedRepo", "(403): it is gated, private or missing"),
        (503, "", "the hub answered 503"),
    ],
)
def test_a_refusal_is_reported_with_its_reason(user: User, status: int, error_code: str, expected: str) -> None:
    user.hub.refusals["tokenizer.json"] = (status, error_code)
    done = user.downloads()

    assert done.returncode == 4
    assert "tokenizer.json" in done.stderr
    assert expected in done.stderr
    assert not user.target.exists()


def test_a_revision_that_the_hub_does_not_have_is_named(user: User) -> None:
    user.lock_file.write_text(json.dumps(lock_of(FILES) | {"revision": "f" * 40}))
    done = user.downloads()

    assert done.returncode == 4
    assert f"no revision {'f' * 40}" in done.stderr


def test_without_a_network_it_says_so_at_once_and_names_the_other_ways(user: User) -> None:
    began = time.monotonic()
    done = user.downloads("--endpoint", "http://127.0.0.1:9")

    assert done.returncode == 4
    assert time.monotonic() - began < SOON_S
    assert "cannot be reached" in done.stderr
    assert all(way in done.stderr for way in ("--endpoint", "HF_ENDPOINT", "--source", "toolkit verify"))
    assert len(done.stderr.splitlines()) <= 2


def test_a_hub_that_falls_silent_is_given_up(user: User) -> None:
    user.environment |= {"HF_HUB_DOWNLOAD_TIMEOUT": "1"}
    user.hub.stalls[WEIGHTS] = 0
    done = user.downloads()

    assert done.returncode == 4
    assert "did not answer in time" in done.stderr


def test_a_hub_that_cannot_resume_is_given_up_after_a_few_cuts(hub: HubServer, tmp_path: Path) -> None:
    hub.knows_ranges = False
    hub.cuts[WEIGHTS] = [11 * MB] * 100
    with pytest.raises(ModelError, match=r"cut the download \d+ times and cannot resume it"):
        fetch_weights(hub, tmp_path)

    assert len(hub.sent(WEIGHTS)) <= 6


def test_offline_mode_is_named_as_the_reason(user: User) -> None:
    user.environment["HF_HUB_OFFLINE"] = "1"
    done = user.downloads()

    assert done.returncode == 4
    assert "HF_HUB_OFFLINE" in done.stderr


def test_a_disk_too_small_is_reported_before_anything_is_fetched(user: User, small_disk: Path) -> None:
    done = user.downloads("--to", small_disk / "model")

    assert done.returncode == 4
    assert re.search(r"has \d+ MB free, the download needs \d+ MB.*--to", done.stderr)
    assert user.hub.asked == []


def test_a_disk_that_fills_up_under_way_is_reported_with_what_is_needed(hub: HubServer, small_disk: Path) -> None:
    with pytest.raises(ModelError, match=r"The disk is full: .* needs \d+ more bytes, \d+ are free"):
        fetch_weights(hub, small_disk)

    assert not (small_disk / WEIGHTS).exists()


def test_two_downloads_into_one_folder_do_not_mix(user: User) -> None:
    user.hub.stalls[WEIGHTS] = 0
    first = user.starts("download", "small-model")
    assert user.hub.stalled.wait(30)
    second = user.downloads()
    first.kill()
    first.communicate()

    assert second.returncode == 4
    assert "Another download is using" in second.stderr


def test_a_folder_with_a_wrong_and_a_missing_file_is_repaired_and_keeps_what_is_the_users(user: User) -> None:
    user.downloads()
    (user.target / WEIGHTS).write_bytes(FILES[WEIGHTS][:1000])
    (user.target / "tokenizer.json").unlink()
    (user.target / "notes.txt").write_text("mine")
    user.hub.asked.clear()
    done = user.downloads()

    assert done.returncode == 0, done.stderr
    assert {asked.name for asked in user.hub.asked} == {WEIGHTS, "tokenizer.json"}
    assert (user.target / "notes.txt").read_text() == "mine"
    assert user.runs("verify", user.target).returncode == 0
    assert {path.name for path in user.target.iterdir()} == {*FILES, "notes.txt"}


def test_a_mending_that_fails_leaves_the_folder_as_it_was(user: User) -> None:
    user.downloads()
    (user.target / WEIGHTS).write_bytes(b"short")
    (user.target / "tokenizer.json").unlink()
    user.hub.files[WEIGHTS] = bytes(24 * MB)
    done = user.downloads()

    assert done.returncode == 4
    assert (user.target / WEIGHTS).read_bytes() == b"short"
    assert not (user.target / "tokenizer.json").exists()


def test_weights_that_the_lock_does_not_know_are_refused_not_deleted(user: User) -> None:
    user.downloads()
    (user.target / "pytorch_model.bin").write_bytes(b"pickled")
    done = user.downloads()

    assert done.returncode == 4
    assert "pytorch_model.bin" in done.stderr
    assert (user.target / "pytorch_model.bin").exists()


def test_an_unknown_model_is_a_configuration_error_that_lists_the_known(user: User) -> None:
    done = user.runs("download", "large-model")

    assert done.returncode == 3
    assert "small-model" in done.stderr
