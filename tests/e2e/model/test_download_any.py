"""`toolkit download OWNER/NAME`: any model of the hub, whose lock is written first and holds ever after."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.hub_server import LISTING, REPOSITORY, REVISION, HubServer
from tests.fakes.hub_user import FILES, WEIGHTS, User

OTHERS = {"README.md": b"# A model", "LICENSE": b"CC0", "pytorch_model.bin": b"pickled", "original/params.json": b"{}"}


@pytest.fixture(name="hub")
def _hub() -> Iterator[HubServer]:
    with HubServer(files={**FILES, **OTHERS}) as hub:
        yield hub


@pytest.fixture(name="user")
def _user(tmp_path: Path, hub: HubServer) -> User:
    user = User(tmp_path, hub)
    user.lock_file.unlink()
    return user


def own_lock(user: User) -> Path:
    return user.home / "models" / "locks" / "small-model.json"


def test_a_model_that_nobody_locked_gets_a_lock_and_is_checked_against_it(user: User) -> None:
    done = user.runs("download", REPOSITORY)

    assert done.returncode == 0, done.stderr
    assert done.stdout == "models/small-model\n"
    lock = json.loads(own_lock(user).read_text())
    assert (lock["repository"], lock["revision"], lock["licence"]) == (REPOSITORY, REVISION, "apache-2.0")
    assert set(lock["files"]) == {*FILES, "LICENSE"}  # no pickles, no other folders
    assert {path.name for path in (user.home / "models" / "small-model").iterdir()} == set(lock["files"])
    assert user.runs("verify", "models/small-model").returncode == 0


def test_modelscope_lists_the_hashes_of_its_own_models(user: User) -> None:
    done = user.runs("download", REPOSITORY, "--source", "modelscope")

    assert done.returncode == 0, done.stderr
    lock = json.loads(own_lock(user).read_text())
    assert (lock["repository"], lock["revision"], lock["licence"]) == (REPOSITORY, REVISION, "apache-2.0")
    assert set(lock["files"]) == {*FILES, "LICENSE"}
    assert user.runs("verify", "models/small-model").returncode == 0

    named = user.runs("download", f"{REPOSITORY}@main", "--source", "modelscope")
    assert named.returncode == 3
    assert "Leave out @REVISION" in named.stderr


def test_the_lock_holds_ever_after(user: User) -> None:
    user.runs("download", f"{REPOSITORY}@{REVISION}")
    (user.home / "models" / "small-model" / "config.json").write_text("{}")
    user.hub.files["config.json"] = b'{"another": 1}'

    again = user.runs("download", REPOSITORY)

    assert again.returncode == 4
    assert "config.json" in again.stderr
    assert user.runs("verify", "models/small-model").returncode == 4


def test_bytes_that_git_names_otherwise_are_refused_before_there_is_a_lock(user: User, monkeypatch) -> None:
    monkeypatch.setattr("tests.fakes.hub_server.blob_id", lambda _: "0" * 40)

    done = user.runs("download", REPOSITORY)

    assert done.returncode == 4
    assert "the hub sent other bytes than it lists" in done.stderr
    assert not own_lock(user).exists()


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        (403, "GatedRepo", f"you have no access to {REPOSITORY} (403): it is gated, private or missing"),
        (404, "RevisionNotFound", f"{REPOSITORY} has no revision main there"),
    ],
)
def test_a_gated_model_and_a_missing_revision_are_told_apart(user: User, status: int, code: str, message: str) -> None:
    user.hub.refusals[LISTING] = (status, code)

    done = user.runs("download", REPOSITORY)

    assert done.returncode == 4
    assert message in done.stderr
    assert not own_lock(user).exists()


def test_only_pickles_are_refused(user: User) -> None:
    del user.hub.files[WEIGHTS]

    done = user.runs("download", REPOSITORY)

    assert done.returncode == 4
    assert f"{REPOSITORY} has no safetensors weights" in done.stderr


def test_two_models_of_one_name_are_not_mixed_up(user: User) -> None:
    own_lock(user).parent.mkdir(parents=True)
    user.runs("download", REPOSITORY)
    own_lock(user).write_text(own_lock(user).read_text().replace(REPOSITORY, "other/small-model"))

    done = user.runs("download", REPOSITORY)

    assert done.returncode == 3
    assert f"{REPOSITORY} and other/small-model have the same name, small-model" in done.stderr
