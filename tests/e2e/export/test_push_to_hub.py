"""Pushing with the real client to a hub on loopback, pulling back, applying; and every way in which a hub says no."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fakes.command import TOOLKIT, bare_environment
from tests.fakes.made_run import make_run
from tests.fakes.shared_run import compare_again, make_shared_run
from tests.fakes.writable_hub import READ_ONLY, TOKEN, WritableHub

PULL = "import sys, huggingface_hub as hub; hub.snapshot_download(sys.argv[1], local_dir=sys.argv[2])"


class User:
    """Someone at a shell with an empty home."""

    def __init__(self, home: Path, hub: WritableHub) -> None:
        self.home, self.hub = home, hub
        self.environment = bare_environment(
            home, HF_ENDPOINT=hub.url, NO_PROXY="127.0.0.1,localhost", HF_TOKEN=TOKEN, OMP_NUM_THREADS="1",
            HF_HUB_DISABLE_XET="0",
        )  # fmt: skip

    def runs(self, *command: str | Path, **environment: str | None) -> subprocess.CompletedProcess[str]:
        surroundings = {**self.environment, **environment}
        return subprocess.run(
            command, cwd=self.home, capture_output=True, text=True, check=False, timeout=120,
            env={name: value for name, value in surroundings.items() if value is not None},
        )  # fmt: skip

    def pushes(self, *arguments: str | Path, **environment: str | None) -> subprocess.CompletedProcess[str]:
        return self.runs(TOOLKIT, "push-to-hub", *arguments, **environment)


@pytest.fixture(scope="module", name="shared")
def _shared(lively_model, tmp_path_factory):
    home = tmp_path_factory.mktemp("shared")
    make_shared_run(home / "output", lively_model)
    return home


@pytest.fixture(name="hub")
def _hub():
    with WritableHub() as hub:
        yield hub


@pytest.fixture(name="user")
def _user(shared, hub, tmp_path):
    home = tmp_path / "home"
    shutil.copytree(shared, home, symlinks=True)
    return User(home, hub)


def test_signed_evidence_goes_along_and_evidence_about_other_files_does_not(user, hub):
    run = (user.home / "output" / "latest").resolve()
    (run / "train.jsonl").write_text('{"messages": []}\n')
    (run / "logging.jsonl").write_text('{"step": 1, "loss": 1.0}\n')
    signed = user.runs(TOOLKIT, "attest", "--new-key", "--key", "release.key")
    assert signed.returncode == 0, signed.stderr
    pushed = user.pushes("me/mine")
    assert pushed.returncode == 0, pushed.stderr
    pulled = user.runs(sys.executable, "-c", PULL, "me/mine", "copy")
    assert pulled.returncode == 0, pulled.stderr
    (user.home / "policy.yaml").write_text("schema_version: 1\nkeys: [release.pub]\n")
    verified = user.runs(TOOLKIT, "verify-evidence", "copy", "--policy", "policy.yaml")
    assert verified.returncode == 0, verified.stdout + verified.stderr

    compare_again(user.home / "output", user.home / "probes.yaml", passes=False)
    stale = user.pushes("me/mine", "--even-if-failed", "--probes", "probes.yaml")
    assert stale.returncode == 3
    assert "is not about the files beside it" in stale.stderr


def test_what_was_pushed_is_pulled_back_and_applied(user, hub, lively_model):
    pushed = user.pushes("v0", "me/mine")

    assert pushed.returncode == 0, pushed.stderr
    stored = hub.repositories["me/mine"]
    assert pushed.stdout == f"me/mine@{stored.head}\n"
    assert stored.private
    assert "(private; verdict: passed)" in pushed.stderr
    ours = {path.name: path.read_bytes() for path in (user.home / "output" / "latest" / "adapter").iterdir()}
    assert {name: content for name, content in stored.files.items() if name != ".gitattributes"} == ours
    assert list(hub.objects.values()) == [ours["adapter_model.safetensors"]]

    pulled = user.runs(sys.executable, "-c", PULL, "me/mine", "back")
    assert pulled.returncode == 0, pulled.stderr
    applied = user.runs(
        TOOLKIT, "compare", "--before", "v0", "--after", "back", "--model", lively_model, "--probes", "probes.yaml",
        "--system", "Be brief.", "--report", "report", "--threshold", "kl=1e-6", "--max-new-tokens", "8",
    )  # fmt: skip
    assert applied.returncode == 0, applied.stderr
    report = json.loads((user.home / "report" / "report.json").read_text())
    assert report["after"]["kind"] == "adapter"
    assert report["after"]["adapter_sha256"] == report["before"]["adapter_sha256"]
    assert report["metrics"]["kl"]["value"] < 1e-6


def test_a_second_push_changes_nothing(user, hub):
    first, second = user.pushes("me/mine"), user.pushes("me/mine")

    assert second.returncode == 0
    assert second.stdout == first.stdout
    assert "already had every file" in second.stderr
    assert len(hub.repositories["me/mine"].commits) == 2  # the hub's own first, and ours


def test_public_makes_a_public_repository(user, hub):
    assert user.pushes("me/mine", "--public").returncode == 0
    assert not hub.repositories["me/mine"].private


def test_a_public_repository_is_not_pushed_to_without_the_option(user, hub):
    user.pushes("me/mine", "--public")
    refused = user.pushes("me/mine")

    assert refused.returncode == 10
    assert "is public on the hub" in refused.stderr
    assert user.pushes("me/mine", "--public").returncode == 0


def test_a_comparison_since_travels_with_the_next_push(user, hub):
    """The host that pushes has no model: what the card says must be exported first."""
    user.pushes("me/mine")
    compare_again(user.home / "output", user.home / "probes.yaml", passes=False)

    refused = user.pushes("me/mine")
    assert refused.returncode == 3
    assert "did not pass its comparison (agreement" in refused.stderr
    card = hub.repositories["me/mine"].files["README.md"].decode()
    assert "**Inconclusive: 1 of 1 learned, asked only word for word; 2 of 2 unrelated answers changed.**" in card

    pushed = user.pushes("me/mine", "--even-if-failed")
    assert pushed.returncode == 0, pushed.stderr
    assert "verdict: failed" in pushed.stderr
    assert "**Inconclusive: " not in hub.repositories["me/mine"].files["README.md"].decode()
    assert hub.repositories["me/mine"].commits[-1][1].endswith("verdict: failed")


def test_a_run_that_was_never_compared_is_exported_and_pushed_only_if_asked(user, hub, lively_model):
    make_run(user.home / "output", lively_model, number=1, seed=3)

    refused = user.pushes("v1", "me/mine")
    assert refused.returncode == 3
    assert "was not compared: it has no report" in refused.stderr
    assert hub.asked == []

    pushed = user.pushes("v1", "me/mine", "--even-if-failed", "--probes", "probes.yaml")
    assert pushed.returncode == 0, pushed.stderr
    assert "**Not compared: it has no report.**" in hub.repositories["me/mine"].files["README.md"].decode()
    assert "report.json" not in hub.repositories["me/mine"].files


def test_deleted_reports_are_deleted_on_the_hub_and_other_files_stay(user, hub):
    user.pushes("me/mine")
    hub.repositories["me/mine"].files["notes.txt"] = b"mine"
    shutil.rmtree(user.home / "output" / "latest" / "compare")

    assert user.pushes("me/mine", "--even-if-failed").returncode == 0
    assert {"report.json", "report.md"}.isdisjoint(hub.repositories["me/mine"].files)
    assert hub.repositories["me/mine"].files["notes.txt"] == b"mine"


def test_somebody_elses_repository_is_left_alone(user, hub):
    hub.holds("me/book", {"README.md": b"a book", "model.safetensors": b"weights"})
    refused = user.pushes("me/book")

    assert refused.returncode == 10
    assert "contains something else (README.md, model.safetensors)" in refused.stderr
    assert hub.repositories["me/book"].files["README.md"] == b"a book"
    assert len(hub.repositories["me/book"].commits) == 1


@pytest.mark.parametrize(
    ("target", "environment", "faults", "message"),
    [
        ("me/mine", {"HF_TOKEN": None}, {}, 'Log in with "hf auth login", or set HF_TOKEN'),
        ("me/mine", {"HF_TOKEN": "hf_nobody-knows-me"}, {}, "the hub does not accept your token (401)"),
        ("me/mine", {"HF_TOKEN": READ_ONLY}, {}, "your token is not allowed to do that (403)"),
        ("they/theirs", {}, {}, "Is they your account or organization"),
        ("me/mine", {"HF_HUB_OFFLINE": "1"}, {}, "HF_HUB_OFFLINE is set"),
        ("me/mine", {"HF_ENDPOINT": "http://127.0.0.1:1"}, {}, "cannot be reached (Connection refused)"),
        ("me/mine", {}, {"/commit/": 412}, "someone else pushed to it in the meantime"),
        ("me/mine", {}, {"/commit/": 409}, "someone else is changing it"),
        ("me/mine", {}, {"/objects/": 403}, "not allowed to do that (403)"),
        ("me/mine", {}, {"/api/models/me": 500}, "the hub answered 500"),
        ("me/mine", {}, {"/validate-yaml": 400}, "Run the same command again"),
    ],
)  # fmt: skip
def test_a_refusal_says_what_to_do_and_never_the_token(user, hub, target, environment, faults, message):
    hub.faults = faults
    refused = user.pushes(target, **environment)

    assert refused.returncode == 10, refused.stderr
    assert message in refused.stderr
    assert refused.stdout == ""
    assert len(refused.stderr.strip().splitlines()) == 1
    assert not any(token in refused.stderr for token in (TOKEN, READ_ONLY, "hf_nobody-knows-me"))


def test_debugging_shows_no_token_either(user, hub):
    hub.faults = {"/commit/": 403}
    refused = user.runs(TOOLKIT, "--debug", "push-to-hub", "me/mine")

    assert "Traceback" in refused.stderr
    assert TOKEN not in refused.stderr


def test_after_a_fault_the_weights_do_not_travel_again(user, hub):
    hub.faults = {"/commit/": 412}
    assert user.pushes("me/mine").returncode == 10
    hub.faults = {}
    hub.asked.clear()

    assert user.pushes("me/mine").returncode == 0
    assert not any(asked.startswith("PUT /objects/") for asked in hub.asked)
