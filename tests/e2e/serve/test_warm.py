"""The warm process and its callers, as processes, over a worker that imports no library."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.fakes import light_keeper
from tests.fakes.command import ROOT
from toolkit.serve.warm.messages import connected, receive, send, socket_path

NOBODY = 65534


class Warm:
    """A keeper that runs, and commands of its user."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        self.environment = {**os.environ, "XDG_RUNTIME_DIR": str(folder), "PYTHONPATH": str(ROOT)}
        (folder / "finetune-and-prove").mkdir(mode=0o700, exist_ok=True)
        self.keeper = subprocess.Popen(
            [sys.executable, "-P", light_keeper.__file__, *(options or ("600",))],
            env=self.environment, stdout=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip
        self.ready = self.keeper.stdout.readline()

    def start(self, *arguments: str, **how) -> subprocess.Popen[str]:
        added = how.pop("added", {})
        return subprocess.Popen(
            [sys.executable, "-P", "-c", light_keeper.CALLER, *arguments], env={**self.environment, **added}, text=True,
            **{"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **how},
        )  # fmt: skip

    def run(self, *arguments: str, **how) -> tuple[int, str, str]:
        child = self.start(*arguments, **how)
        out, err = child.communicate()
        return child.returncode, out, err

    def ask(self, kind: str, **more: str) -> dict | None:
        connection = connected(socket_path({"XDG_RUNTIME_DIR": str(self.folder)}))
        if connection is None:
            return None
        with connection:
            send(connection, {"kind": kind, **more})
            return receive(connection)[0]

    def close(self) -> None:
        with suppress(ProcessLookupError):
            self.keeper.send_signal(signal.SIGTERM)
        self.keeper.communicate()


def until(true: Callable[[], object]) -> None:
    """Returns once it is so; a test that waits for ever has failed."""
    while not true():
        time.sleep(0.01)


@pytest.fixture(name="warm")
def _warm(tmp_path: Path) -> Iterator[Warm]:
    tmp_path.chmod(0o700)
    warm = Warm(tmp_path)
    yield warm
    warm.close()


def test_a_command_has_its_callers_folder_environment_streams_and_exit_code(warm: Warm, tmp_path: Path):
    (tmp_path / "in.txt").write_text("asked")
    with (tmp_path / "in.txt").open() as stdin:
        code, out, err = warm.run(
            "compare", "say", "--x", "ü", cwd="/usr", stdin=stdin, added={"SAID": "this"}, umask=0o27
        )

    assert (code, out) == (21, "/usr this asked ['--x', 'ü'] 23\n")
    said, talk = err.splitlines()
    assert said.startswith("warm: pid ")
    assert "loaded" in said
    assert talk == "talk"


def test_a_command_that_crashes_harms_no_other(warm: Warm):
    waiting = warm.start("compare", "wait")
    waiting.stdout.readline()

    assert warm.run("compare", "crash")[0] == -signal.SIGSEGV
    assert warm.run("compare", "say")[0] == 21

    waiting.send_signal(signal.SIGINT)
    assert waiting.communicate()[0] == "interrupted\n"
    assert waiting.returncode == 130


def test_termination_reaches_the_worker_and_the_caller_ends_as_it_did(warm: Warm):
    waiting = warm.start("compare", "wait")
    pid = int(waiting.stdout.readline())
    waiting.send_signal(signal.SIGTERM)

    assert waiting.wait() == -signal.SIGTERM
    assert not Path(f"/proc/{pid}").exists()


def test_the_work_of_a_caller_that_is_killed_is_killed(warm: Warm):
    waiting = warm.start("compare", "wait")
    pid = int(waiting.stdout.readline())
    waiting.kill()
    waiting.communicate()

    until(lambda: not Path(f"/proc/{pid}").exists())
    assert warm.run("compare", "say")[0] == 21


def test_a_caller_that_is_stopped_stops_the_work(warm: Warm):
    def state(pid: int) -> str:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]

    waiting = warm.start("compare", "wait")
    pid = int(waiting.stdout.readline())
    waiting.send_signal(signal.SIGTSTP)
    until(lambda: state(pid) == "T" and state(waiting.pid) == "T")
    waiting.send_signal(signal.SIGCONT)
    until(lambda: state(pid) == "S")
    waiting.send_signal(signal.SIGINT)

    assert waiting.communicate()[0] == "interrupted\n"


def test_a_command_began_when_its_caller_did(warm: Warm):
    time.sleep(1)
    _, out, _ = warm.run("compare", "age")
    warm_up = warm.ask("status")["age_s"]

    assert 0 < float(out) < warm_up


@pytest.mark.parametrize(
    ("added", "why"),
    [
        ({"OMP_NUM_THREADS": "7"}, "the variable OMP_NUM_THREADS"),
        ({"RANK": "1"}, "the variable RANK"),
        ({"PYTHONOPTIMIZE": "1"}, "Python's options"),
    ],
)
def test_a_command_that_libraries_would_see_otherwise_starts_by_itself_and_says_why(warm: Warm, added: dict, why: str):
    code, out, err = warm.run("compare", "say", added=added)

    assert (code, out) == (0, "cold\n")
    assert err == f"warm: not used, {why} differs from that of toolkit up\n"


def test_another_version_of_the_code_is_not_used(warm: Warm, tmp_path: Path):
    (tmp_path / "toolkit").symlink_to(ROOT / "toolkit")  # as good as another: its files have other paths
    _, out, err = warm.run("compare", "say", added={"PYTHONPATH": str(tmp_path)})

    assert out == "cold\n"
    assert "the toolkit's code differs" in err


@pytest.mark.parametrize(
    "command", [("check", "x"), ("finetune", "--cards=2"), ("compare", "--help"), ("studio",), ("--debug",)]
)
def test_other_commands_start_by_themselves_without_a_word(warm: Warm, command: tuple[str, ...]):
    assert warm.run(*command) == (0, "cold\n", "")


def test_a_variable_turns_it_off(warm: Warm):
    assert warm.run("compare", "say", added={"TOOLKIT_WARM": "off"}) == (0, "cold\n", "")


def test_a_command_that_needs_a_hub_starts_anew_in_place(warm: Warm):
    code, out, err = warm.run("compare", "online")

    assert (code, out) == (0, "cold\n")
    assert err.endswith("warm: not used for data of a hub\n")


def test_a_socket_that_nobody_listens_at_is_as_good_as_none(warm: Warm, tmp_path: Path):
    warm.keeper.kill()
    warm.keeper.wait()

    assert socket_path({"XDG_RUNTIME_DIR": str(tmp_path)}).exists()
    assert warm.run("compare", "say") == (0, "cold\n", "")
    again = Warm(tmp_path)
    assert again.run("compare", "say")[0] == 21
    again.close()


def test_the_work_ends_with_the_warm_process_and_its_caller_says_so(warm: Warm):
    waiting = warm.start("compare", "wait")
    pid = int(waiting.stdout.readline())
    warm.keeper.kill()
    _, err = waiting.communicate()

    assert waiting.returncode == 1
    assert "the process is gone" in err
    until(lambda: not Path(f"/proc/{pid}").exists())


def test_only_one_keeper_is_there(warm: Warm, tmp_path: Path):
    second = Warm(tmp_path)

    assert second.ready == ""
    assert second.keeper.wait() == 1
    assert warm.run("compare", "say")[0] == 21


def test_it_is_of_its_user_alone(warm: Warm, tmp_path: Path):
    path = socket_path({"XDG_RUNTIME_DIR": str(tmp_path)})

    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(os.getuid() != 0, reason="becomes another user")
def test_another_user_is_not_answered(warm: Warm, tmp_path: Path):
    """Even where the folder and the socket were opened to all."""
    path = socket_path({"XDG_RUNTIME_DIR": str(tmp_path)})
    for one in (*reversed(path.parents), path):
        if one.is_relative_to(tmp_path.parents[1]):
            one.chmod(0o777)
    script = (
        f"import os, socket; os.setgroups([]); os.setgid({NOBODY}); os.setuid({NOBODY}); "
        f"s = socket.socket(socket.AF_UNIX); s.connect({str(path)!r}); print(s.recv(9))"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)

    assert found.stdout == "b''\n", found.stderr
    path.parent.chmod(0o700)
    assert warm.run("compare", "say")[0] == 21


def test_a_folder_that_others_may_enter_is_not_used(warm: Warm, tmp_path: Path):
    socket_path({"XDG_RUNTIME_DIR": str(tmp_path)}).parent.chmod(0o755)

    assert warm.run("compare", "say") == (0, "cold\n", "")


def test_what_is_not_a_request_ends_nothing(warm: Warm, tmp_path: Path):
    path = socket_path({"XDG_RUNTIME_DIR": str(tmp_path)})
    for content in (b"", b"\0\0\0\2[]", b"\0\0\0\2{}", b"\xff\xff\xff\xff", json.dumps({"kind": "run"}).encode()):
        connection = connected(path)
        connection.sendall(content)
        connection.close()

    assert warm.run("compare", "say")[0] == 21


def test_it_ends_when_it_is_idle(tmp_path: Path):
    tmp_path.chmod(0o700)
    warm = Warm(tmp_path, "0.3")

    assert warm.keeper.wait() == 0
    assert not socket_path({"XDG_RUNTIME_DIR": str(tmp_path)}).exists()


def test_sent_away_it_finishes_what_it_works_for(warm: Warm):
    waiting = warm.start("compare", "wait")
    waiting.stdout.readline()
    found = warm.ask("down")

    assert [job["command"] for job in found["jobs"]] == ["compare"]
    assert warm.run("compare", "say") == (0, "cold\n", "")
    waiting.send_signal(signal.SIGINT)
    assert waiting.wait() == 130
    assert warm.keeper.wait() == 0
    waiting.communicate()


def test_memory_given_back_leaves_the_libraries(warm: Warm):
    [pid] = warm.ask("status")["workers"]
    found = warm.ask("give back", of="any")

    assert found["workers"] == []
    assert not Path(f"/proc/{pid}").exists()
    code, _, err = warm.run("compare", "say")
    assert code == 21
    assert "imported" in err


@pytest.mark.parametrize(("options", "waiting"), [(("600", "card"), 0), (("600",), 1)])
def test_a_command_that_stays_has_the_memory_of_a_card_given_back(tmp_path: Path, options: tuple, waiting: int):
    tmp_path.chmod(0o700)
    warm = Warm(tmp_path, *options)

    assert warm.run("serve") == (0, "cold\n", "")
    assert len(warm.ask("status")["workers"]) == waiting
    warm.close()


def test_a_model_that_does_not_load_leaves_the_libraries(tmp_path: Path):
    tmp_path.chmod(0o700)
    warm = Warm(tmp_path, "600", "fail")

    assert warm.ask("status")["failed"] == "no such weights"
    for _ in range(2):
        code, _, err = warm.run("compare", "say")
        assert code == 21
        assert "imported" in err
    warm.close()
