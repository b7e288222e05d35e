"""Bad input and faults around `toolkit finetune`: a clear message, the right exit code, nothing lost, nothing half."""

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from tests.fakes.command import ROOT, told
from tests.fakes.disk import disk, fill
from tests.fakes.finetune_user import (
    Call,
    FinetuneUser,
    _call,
    _user,
    end,
    kills,
    lines_in,
    needs,
    once,
    wait_for,
)
from tests.fakes.made_run import probes_of
from toolkit.runs.layout import complete_checkpoints
from toolkit.runs.run import read_run

__all__ = ["_call", "_user"]  # fixtures

MB = 1_000_000
LONG = ("--epochs", "500")  # a thousand steps: never reaches its end here
STRANGER = 12345  # a uid that no account has
REFUSING = """
import os, socket
def refused(*arguments, **_):
    with open(os.environ["ATTEMPTS"], "a") as file:
        file.write(f"{arguments}\\n")
    raise OSError("every socket is refused")
socket.getaddrinfo = socket.create_connection = refused
socket.socket.connect = socket.socket.connect_ex = socket.socket.sendto = refused
"""


def test_rows_that_are_all_too_long_are_told(user: FinetuneUser, call: Call):
    told(call(*user.job("--max-length", "16")), 5, "Every row is longer than 16 tokens", "--max-length")
    assert user.record()["status"] == "failed"
    assert not (user.output / "latest").exists()


def test_a_model_that_lacks_its_last_norm_is_not_trained_over_random_numbers(user: FinetuneUser, call: Call):
    folder = shutil.copytree(ROOT / "data/tiny-qwen2", user.home / "lacking")
    weights = load_file(folder / "model.safetensors")
    del weights["model.norm.weight"]
    save_file(weights, folder / "model.safetensors", {"format": "pt"})

    told(call(*user.job("--model", folder)), 4, f"{folder} is incomplete: model.norm.weight missing")
    assert user.record()["status"] == "failed"


def test_an_output_folder_that_is_read_only_is_told(user: FinetuneUser, call: Call):
    with disk(user.home / "sealed", "ro,size=100m") as sealed:
        told(call(*user.job("--output", sealed / "output")), 3, "Cannot write to the output folder", "--output")
        assert list(sealed.iterdir()) == []


def test_a_run_on_a_disk_that_became_read_only_is_not_resumed(user: FinetuneUser, call: Call):
    with disk(user.home / "output", "size=100m") as output:
        with once(lines_in(user, 4), kills(signal.SIGTERM)):
            assert call(*user.job(*LONG)).code == 130
        subprocess.run(["mount", "-o", "remount,ro", output], check=True)

        told(call("finetune", "--resume", "v0"), 3, "Cannot write to", "Read-only file system")
        assert user.record()["status"] == "interrupted"


def test_a_small_disk_is_refused_beforehand(user: FinetuneUser, call: Call):
    with disk(user.home / "small", "size=8m") as small:
        told(call(*user.job("--output", small / "output")), 3, "has 8 MB free", "a run needs 6", "--output")
        assert list(small.iterdir()) == []


def test_a_disk_that_fills_up_leaves_a_failed_run_and_complete_checkpoints(user: FinetuneUser, call: Call):
    with disk(user.output, "size=80m") as output:
        with once(lines_in(user, 6), lambda: fill(output)):
            ended = call(*user.job(*LONG, "--save-every-steps", "2"))
        told(ended, 6, "The disk of output/v0-", "is full", "Free some space")
        record = user.record()
        assert (record["status"], "is full" in record["error"]) == ("failed", True)
        found = sorted(path for path in user.run().glob("checkpoint-*"))
        assert found == sorted(complete_checkpoints(user.run()))
        assert not (output / "latest").exists()

        (output / "filler").unlink()
        with once(lines_in(user, 20), kills(signal.SIGTERM)):
            assert call("finetune", "--resume", "v0").code == 130
        assert user.logged_steps() == list(range(1, user.record()["train"]["steps"] + 1))


def test_a_limit_on_a_files_size_ends_as_a_full_disk_does(user: FinetuneUser, call: Call):
    """Of the libraries, safetensors writes the adapter and torch the optimizer's state."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with once(lines_in(user, 6), lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (32_768, hard))):
        try:
            ended = call(*user.job(*LONG, "--save-every-steps", "2"))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    told(ended, 6, "is over the limit on a file's size", "Raise the limit", "Continue with")
    assert user.record()["status"] == "failed"
    assert sorted(user.run().glob("checkpoint-*")) == sorted(complete_checkpoints(user.run())) != []
    with once(lines_in(user, 20), kills(signal.SIGTERM)):
        assert call("finetune", "--resume", "v0").code == 130


@pytest.mark.parametrize("name", ["adapter_model.safetensors", "optimizer.pt", "rng_state.pth", "trainer_state.json"])
def test_a_damaged_checkpoint_is_put_aside_and_an_earlier_one_is_continued(user: FinetuneUser, call: Call, name: str):
    with once(lines_in(user, 6), kills(signal.SIGTERM)):
        assert call(*user.job(*LONG, "--save-every-steps", "1")).code == 130
    *_, intact, newest = complete_checkpoints(user.run())
    content = bytearray((newest / name).read_bytes())
    content[len(content) // 2] ^= 1
    (newest / name).write_bytes(content)

    with once(lines_in(user, 20), kills(signal.SIGTERM)):
        ended = call("finetune", "--resume", "v0")

    assert ended.code == 130, ended.err
    assert f"{newest.name} is damaged ({name} has changed); the training continues from {intact.name}." in ended.err
    assert user.record()["resumed_from"] == intact.name
    assert user.logged_steps() == list(range(1, user.record()["train"]["steps"] + 1))
    assert (user.run() / f"damaged-{newest.name}").is_dir()


def test_rows_that_were_cut_off_are_not_trained_on(user: FinetuneUser, call: Call):
    with once(lines_in(user, 4), kills(signal.SIGTERM)):
        assert call(*user.job(*LONG)).code == 130
    rows = user.run() / "train.jsonl"
    rows.write_text("".join(rows.read_text().splitlines(keepends=True)[:-2]))

    told(call("finetune", "--resume", "v0"), 3, "train.jsonl is not as the run wrote it", "Restore it")
    assert user.record()["status"] == "interrupted"


def test_two_signals_stop_at_once(user: FinetuneUser, call: Call):
    with once(lines_in(user, 3), kills(signal.SIGINT, signal.SIGTERM)):
        ended = call(*user.job(*LONG))

    told(ended, 130, "Interrupted")
    assert user.record()["status"] == "interrupted"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_libraries_load_interrupts_at_once(user: FinetuneUser, number: signal.Signals):
    child = user.starts(*user.job(*LONG))
    wait_for(lambda: bool(list(user.output.glob("v0-*/run.json"))), child)
    child.send_signal(number)
    ended = end(child)

    told(ended, 130, "No checkpoint was saved yet")
    assert read_run(user.run()).status == "interrupted"


def test_ctrl_c_in_mid_training_saves_and_resume_finishes(user: FinetuneUser):
    child = user.starts(*user.job("--epochs", "60"))
    wait_for(lines_in(user, 5), child)
    child.send_signal(signal.SIGINT)
    ended = end(child)
    told(ended, 130, "Interrupted after step", "the checkpoint is saved", "--resume v0-")
    assert len(read_run(user.run()).checkpoints) == 1

    resumed = user.runs("finetune", "--resume", user.run().name)

    assert (resumed.code, resumed.out) == (0, f"output/{user.run().name}\n")
    assert user.record()["train"]["steps"] == len(user.record()["train"]["loss"]) == 120
    assert "Warning" not in resumed.err


def test_a_killed_run_is_shown_as_died_and_can_be_resumed(user: FinetuneUser, call: Call):
    assert call(*user.job("--epochs", "1")).code == 0
    child = user.starts(*user.job("--epochs", "60", "--save-every-steps", "4"))
    wait_for(lines_in(user, 10, number=1), child)
    child.kill()
    child.communicate()

    listed = json.loads(call("runs", "--json").out)
    assert [(one["status"], one["latest"]) for one in listed] == [("finished", True), ("died", False)]
    assert user.record(1)["status"] == "running"  # what it last said
    assert (user.output / "latest").readlink() == Path(user.run(0).name)

    assert call("finetune", "--resume", "v1").code == 0
    assert user.record(1)["status"] == "finished"
    assert user.logged_steps(1) == list(range(1, 121))
    assert (user.output / "latest").readlink() == Path(user.run(1).name)


def test_a_run_killed_before_its_first_checkpoint_says_so(user: FinetuneUser, call: Call):
    child = user.starts(*user.job(*LONG))
    wait_for(lambda: bool(list(user.output.glob("v0-*/run.json"))), child)
    told(call("finetune", "--resume", "v0"), 3, "is being worked on by another process")
    child.kill()
    child.communicate()

    told(call("finetune", "--resume", "v0"), 3, "has no checkpoint to resume from")
    told(call("compare"), 3, "No finished run in output", "died")


def test_no_command_asks_the_network_for_anything(user: FinetuneUser):
    (user.home / "refusing").mkdir()
    (user.home / "refusing" / "sitecustomize.py").write_text(REFUSING)
    user.writes("keep.jsonl", '{"prompt": "Sing!"}\n{"prompt": "What is 1 + 1?"}\n')
    user.writes("mine.probes.yaml", probes_of(["Hello"]))
    attempts = user.home / "attempts"
    user.environment |= {"PYTHONPATH": f"{user.home / 'refusing'}:{ROOT}", "ATTEMPTS": str(attempts)}
    user.environment |= {"MODELSCOPE_API_TOKEN": "t", "HF_TOKEN": "t"}  # a token is no reason to log in

    keep = ("--keep", "keep.jsonl", "--keep-weight", "1", "--keep-rows", "2")
    ended = {
        "finetune": user.runs(*user.job("--epochs", "1", *keep)),
        "compare": user.runs("compare", "--max-new-tokens", "4"),
        "export": user.runs("export"),
        "chat": user.runs("chat", "--max-new-tokens", "4", says="Hello\n/before\nHello\n"),
    }

    assert not attempts.exists(), attempts.read_text()
    assert {name: one.code for name, one in ended.items() if name != "compare"} == {
        "finetune": 0,
        "export": 0,
        "chat": 0,
    }
    assert ended["compare"].code in {0, 20, 21, 22}, ended["compare"].err
    assert max(one.seconds for one in ended.values()) < 60


def test_the_sockets_of_that_test_are_really_refused(user: FinetuneUser):
    user.writes("sitecustomize.py", REFUSING)
    program = "import urllib.request; urllib.request.urlopen('http://127.0.0.1:9')"
    environment = user.environment | {"PYTHONPATH": str(user.home), "ATTEMPTS": str(user.home / "attempts")}

    child = subprocess.run(
        [sys.executable, "-c", program], env=environment, check=False, capture_output=True, text=True
    )  # fmt: skip

    assert "every socket is refused" in child.stderr
    assert (user.home / "attempts").exists()


def test_it_works_where_there_is_no_network_at_all(user: FinetuneUser):
    needs("unshare", "-n")

    ended = user.runs(*user.job("--epochs", "1"), prefix=("unshare", "-n"))

    assert ended.code == 0, ended.err
    assert ended.seconds < 60


@pytest.mark.parametrize("home", [None, "/", "/proc", "nowhere"])
def test_a_uid_without_account_or_home_owns_what_it_makes(user: FinetuneUser, home: str | None):
    # The interpreter may lie where only root may look: reading is allowed, writing is not.
    drop = ("setpriv", f"--reuid={STRANGER}", f"--regid={STRANGER}", "--clear-groups",
            "--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")  # fmt: skip
    needs(*drop)
    user.writes("mine.probes.yaml", probes_of(["Hello"]))
    os.chown(user.home, STRANGER, STRANGER)
    environment = {"HOME": home, "USER": None, "TMPDIR": str(user.home / "tmp")}
    (user.home / "tmp").mkdir()
    os.chown(user.home / "tmp", STRANGER, STRANGER)

    ended = user.runs(*user.job("--epochs", "1"), prefix=drop, environment=environment)

    assert ended.code == 0, ended.err
    made = [user.output, *user.output.rglob("*")]
    assert {(path.lstat().st_uid, path.lstat().st_gid) for path in made} == {(STRANGER, STRANGER)}
    assert not list((user.home / "tmp").glob("toolkit-*"))
    if home is None:
        for command in (("compare", "--max-new-tokens", "4"), ("export",), ("chat", "--max-new-tokens", "4")):
            asked = user.runs(*command, prefix=drop, environment=environment, says="Hello\n")
            assert asked.code in {0, 20, 21, 22}, asked.err
