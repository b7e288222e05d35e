"""Standard streams in every state: the command does its work, and its exit code is its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

COMMANDS = {
    "toolkit": [sys.executable, "-m", "toolkit", "--help"],
    "toolkit-answer": [sys.executable, "-m", "toolkit", "runs", "undo", "--help"],
    "toolkit-usage": [sys.executable, "-m", "toolkit", "no-such-command"],
    "toolkit-error": [sys.executable, "-m", "toolkit", "runs", "show", "v9", "--output", "/no/such/folder"],
    "toolkit-answered": [sys.executable, "-m", "toolkit", "runs", "--json", "--output", "/no/such/folder"],
    "image": [sys.executable, "-m", "image", "--help"],
    "image-usage": [sys.executable, "-m", "image", "no-such-command"],
    "image-error": [sys.executable, "-m", "image", "pull-adapter", "UPPER/case"],
}
CODES = {
    "toolkit": 0, "toolkit-answer": 0, "toolkit-usage": 2, "toolkit-error": 3, "toolkit-answered": 0,
    "image": 0, "image-usage": 2, "image-error": 3,
}  # fmt: skip
STATES = (
    "</dev/null", "<&-", ">&-", "2>&-", "<&- >&- 2>&-", ">/dev/full", "2>/dev/full", ">/dev/full 2>&1",
    "| true", "2>&1 | true", "1</dev/null", "2</dev/null",
)  # fmt: skip
ENCODINGS = ({"PYTHONIOENCODING": "ascii"}, {"PYTHONIOENCODING": "gbk"}, {"PYTHONIOENCODING": "latin-1"},
             {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"})  # fmt: skip
LOSSES = """
import sys
from toolkit.core.streams import prepare_streams, output_failure
stdout = prepare_streams()
print("\\u4f60 \\ud800 " * 100_000)
sys.stdout.flush()
print("once more", flush=True)
failure = output_failure(stdout)
sys.stderr.write(type(failure).__name__)
"""


def in_shell(command: list[str], redirection: str, **environment: str) -> subprocess.CompletedProcess[str]:
    script = f'set -o pipefail; {{ "$@"; echo "code $?" >&9; }} {redirection}'
    read, write = os.pipe()
    with os.fdopen(read) as codes:
        done = subprocess.run(
            ["bash", "-c", f"exec 9>&{write} {write}>&-; {script}", "-", *command], capture_output=True, text=True,
            check=False, pass_fds=[write], env=os.environ | environment, timeout=60,
        )  # fmt: skip
        os.close(write)
        done.returncode = int(codes.read().split()[1])
    return done


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("kind", COMMANDS)
def test_a_command_ends_with_its_own_code_whatever_its_streams_are(kind: str, state: str):
    done = in_shell(COMMANDS[kind], state)
    answer_lost = kind == "toolkit-answered" and state in {">/dev/full", ">/dev/full 2>&1", "1</dev/null"}

    assert done.returncode == (8 if answer_lost else CODES[kind]), done.stderr
    for text in (done.stdout, done.stderr):
        assert "This is a bug" not in text
        assert "Traceback" not in text
        assert "Exception ignored" not in text


@pytest.mark.parametrize("encoding", ENCODINGS, ids=str)
def test_what_an_encoding_lacks_is_replaced(encoding: dict[str, str]):
    done = subprocess.run(
        [sys.executable, "-c", LOSSES], capture_output=True, check=True, env=os.environ | encoding, timeout=60
    )  # fmt: skip

    assert b"? " in done.stdout
    assert done.stderr == b"NoneType"


@pytest.mark.parametrize(
    ("state", "failure"),
    [("| true", "NoneType"), (">/dev/full", "OSError"), (">&-", "NoneType"), ("1</dev/null", "OSError")],
)
def test_only_an_answer_that_a_reader_wanted_is_lost(state: str, failure: str):
    assert in_shell([sys.executable, "-c", LOSSES], state).stderr == failure


def test_a_closed_stream_does_not_lend_its_number_to_a_file(tmp_path: Path):
    code = (
        "import os, sys\nfrom toolkit.core.streams import prepare_streams\nprepare_streams()\n"
        f"file = open({str(tmp_path / 'run.json')!r}, 'w')\nos.write(1, b'noise')\nsys.exit(file.fileno() < 3)"
    )
    assert in_shell([sys.executable, "-c", code], "<&- >&- 2>&-").returncode == 0
    assert (tmp_path / "run.json").read_text() == ""


def test_a_slow_reader_of_a_pipe_that_does_not_block_gets_everything():
    read, write = os.pipe()
    os.set_blocking(write, False)
    child = subprocess.Popen([sys.executable, "-c", LOSSES], stdout=write, stderr=subprocess.PIPE)
    os.close(write)
    with os.fdopen(read, "rb") as file:
        received = file.read()

    assert child.communicate()[1] == b"NoneType"
    assert received.decode().endswith("once more\n")
    assert len(received) == 100_000 * len("\u4f60 ? ".encode()) + len("\nonce more\n")


HANDLER = """
import os, signal, sys, threading
from {package}.core.streams import prepare_streams
prepare_streams()
def note(*_):
    os.write(2, b"signal")
    print("NOTE", flush=True)
signal.signal(signal.SIGALRM, note)
signal.setitimer(signal.ITIMER_REAL, 0.3)
print("x" * 1_000_000, flush=True)  # longer than a pipe holds: the signal comes in the middle
print("END", flush=True)
"""


@pytest.mark.parametrize("package", ["toolkit", "image"])
def test_a_signals_handler_may_print_while_the_stream_is_being_written(package: str):
    process = subprocess.Popen(
        [sys.executable, "-c", HANDLER.format(package=package)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    assert process.stderr.read(6) == "signal"  # until then nothing of the output is read
    out, err = process.communicate()

    assert (process.returncode, err) == (0, "")
    assert out.count("x") == 1_000_000
    assert out.count("NOTE") == 1
    assert out.endswith("END\n")
