"""The boundary: every end of a command becomes an exit code, and every error a line or two without a traceback."""

import contextlib
import errno
import os
import signal
import subprocess
import sys
import time

import click
import pytest

import toolkit.cli
from toolkit import __main__ as boundary
from toolkit.core.errors import (
    ConfigError,
    DataError,
    ExportError,
    Interrupted,
    ModelError,
    ToolkitError,
    TrainingError,
)


@pytest.fixture(name="ends")
def _ends(monkeypatch, capsys):
    """Calls main with a command that ends as told; its exit code, and what stderr holds."""

    def ends(end, *arguments: str):
        @click.command()
        @click.option("--debug", is_flag=True)
        @click.option("--count", type=int)
        @click.pass_context
        def command(ctx, debug, count):
            if isinstance(end, BaseException):
                raise end
            ctx.exit(end)

        monkeypatch.setattr(toolkit.cli, "cli", command)
        with pytest.raises(SystemExit) as left:
            boundary.main(list(arguments))
        return left.value.code, capsys.readouterr().err

    return ends


@pytest.mark.parametrize(
    ("kind", "code"),
    [(ConfigError, 3), (ModelError, 4), (DataError, 5), (TrainingError, 6), (ExportError, 7), (Interrupted, 130)],
)
def test_each_error_has_its_exit_code_and_says_what_and_next(ends, kind, code):
    assert ends(kind("It broke.", next="Mend it.")) == (code, "Error: It broke. Mend it.\n")


def test_debug_shows_where_it_came_from(monkeypatch):
    def command(**_):
        raise ConfigError("It broke.")

    monkeypatch.setattr(toolkit.cli.cli, "main", command)

    with pytest.raises(ConfigError):
        boundary.main(["--debug"])


def test_what_nobody_foresaw_is_called_a_bug(ends):
    code, told = ends(ZeroDivisionError("division by zero"))

    assert code == ToolkitError.exit_code == 1
    assert "ZeroDivisionError: division by zero. This is a bug in the toolkit" in told
    assert "Traceback" not in told


@pytest.mark.parametrize(
    ("number", "remedy"),
    [(errno.ENOSPC, "Free some space."), (errno.EFBIG, "Raise the limit on a file's size: ulimit -f unlimited.")],
)
def test_a_file_that_cannot_be_written_is_no_bug(ends, number, remedy):
    code, told = ends(OSError(number, os.strerror(number), "rows.jsonl"))

    assert code == ConfigError.exit_code
    assert told.startswith("Error: A file could not be written: [Errno ")
    assert told.endswith(f"'rows.jsonl'. {remedy}\n")


def test_another_folder_is_not_proposed_where_a_files_size_is_limited(ends):
    error = DataError("It cannot be written.", next="Name another folder.")
    error.__context__ = OSError(errno.EFBIG, "File too large")

    assert ends(error) == (5, "Error: It cannot be written. Raise the limit on a file's size: ulimit -f unlimited.\n")


def test_a_circle_of_links_in_a_path_is_no_bug(ends):
    code, told = ends(RuntimeError("Symlink loop from '/data/one'"))

    assert code == ConfigError.exit_code
    assert "A symbolic link leads back to itself: Symlink loop from '/data/one'. Remove it" in told


def test_ctrl_c_is_told_in_a_word(ends):
    code, told = ends(KeyboardInterrupt())

    assert (code, told.strip()) == (130, "Interrupted.")


def test_wrong_usage_is_clicks_own(ends):
    code, told = ends(0, "--count", "many")

    assert code == 2
    assert "Invalid value for '--count'" in told


@pytest.mark.parametrize("code", [0, 20, 21, 22])
def test_a_verdict_leaves_as_it_is(ends, code):
    assert ends(code) == (code, "")


def test_waiting_threads_sleep_unless_the_caller_wants_them_awake(ends, monkeypatch):
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    ends(0)
    assert os.environ["OMP_WAIT_POLICY"] == "PASSIVE"

    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    ends(0)
    assert os.environ["OMP_WAIT_POLICY"] == "ACTIVE"


@pytest.mark.parametrize(
    "error",
    [
        ValueError("invalid literal for int() with base 10: 'ten seconds'"),  # as huggingface_hub says it
        ValueError("Invalid settings: ten seconds, must be a number"),  # as torch says it
        RuntimeError("HF_HUB_DOWNLOAD_TIMEOUT must be a number"),
    ],
)
def test_a_librarys_error_about_the_environment_names_the_variable(ends, monkeypatch, error):
    monkeypatch.setenv("HF_HUB_DOWNLOAD_TIMEOUT", "ten seconds")

    code, said = ends(error)

    assert code == 3
    assert said.startswith("Error: The environment variable HF_HUB_DOWNLOAD_TIMEOUT has a value that")
    assert "env -u HF_HUB_DOWNLOAD_TIMEOUT" in said


def test_a_library_that_hides_an_interruption_was_interrupted(ends):
    hidden = ImportError("initialization failed")
    hidden.__cause__ = KeyboardInterrupt()

    assert ends(hidden) == (130, "Interrupted.\n")


@pytest.fixture(name="process")
def _process():
    """Starts a process that runs main on a command which says so on stdout and then sleeps."""
    started = []

    def process(before: str = "", *, ends: str = "time.sleep(60)"):
        code = (
            f"import signal, time\n{before}\nimport toolkit.cli, click\n@click.command()\ndef command():\n"
            f"    click.echo('ready')\n    {ends}\ntoolkit.cli.cli = command\n"
            "from toolkit.__main__ import main\nmain([])"
        )
        child = subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )  # fmt: skip
        started.append(child)
        assert child.stdout.readline() == "ready\n"
        return child

    yield process
    for child in started:
        child.kill()
        child.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_interrupts_any_command_without_a_traceback(process, number):
    child = process("signal.signal(signal.SIGINT, signal.default_int_handler)")
    child.send_signal(number)

    answer, said = child.communicate(timeout=30)
    assert (child.returncode, answer, said.strip()) == (130, "", "Interrupted.")


def test_under_nohup_a_lost_terminal_interrupts_nothing(process):
    child = process("signal.signal(signal.SIGHUP, signal.SIG_IGN)", ends="time.sleep(0.5)")
    child.send_signal(signal.SIGHUP)

    assert child.communicate(timeout=30) == ("", "")
    assert child.returncode == 0


@pytest.mark.parametrize("moment_s", [0.02, 0.05, 0.1, 0.15, 0.2, 0.3])
@pytest.mark.parametrize("program", ["toolkit", "image"])
def test_ctrl_c_while_a_command_loads_leaves_no_traceback(program, moment_s):
    """Python itself answers before our first line runs; that moment is over when `main` is called."""
    code = f"import sys, {program}.__main__ as boundary\nprint('ready', flush=True)\nboundary.main(['--help'])"
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert child.stdout.readline() == "ready\n"
    time.sleep(moment_s)
    for _ in range(2):
        with contextlib.suppress(ProcessLookupError):
            child.send_signal(signal.SIGINT)
        time.sleep(0.005)

    _, said = child.communicate(timeout=30)

    assert child.returncode in {0, 130, -signal.SIGINT}
    assert "Traceback" not in said


@pytest.mark.parametrize("program", ["toolkit", "image"])
@pytest.mark.parametrize(
    ("raises", "code", "printed"),
    [("signal.raise_signal(signal.SIGINT)", 130, "Interrupted.\n"), ("int('no')", 0, "ValueError: invalid literal")],
)
def test_ctrl_c_within_a_callback_is_not_lost(program, raises, code, printed):
    """Python prints and drops what a weak reference's callback raises."""
    script = (
        f"import signal, time, weakref\nimport {program}.cli, {program}.__main__ as boundary\n"
        f"class Thing: pass\nthing = Thing()\nreference = weakref.ref(thing, lambda _: {raises})\n"
        "class Command:\n    def main(self, **_):\n        global thing\n        del thing\n        time.sleep(2)\n"
        f"{program}.cli.cli = Command()\nboundary.main([])"
    )
    child = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60)

    assert child.returncode == code
    assert child.stderr.startswith(printed) if code else printed in child.stderr
    assert ("Traceback" in child.stderr) is (code == 0)


def test_python_without_docstrings_is_refused_at_once():
    child = subprocess.run(
        [sys.executable, "-m", "toolkit", "runs"], env=os.environ | {"PYTHONOPTIMIZE": "2"}, capture_output=True,
        text=True, check=False, timeout=30,
    )  # fmt: skip

    assert child.returncode == 3
    assert "PYTHONOPTIMIZE=2" in child.stderr


def test_warnings_that_would_be_errors_end_no_command():
    code = (
        "import sys, toolkit.cli, click, warnings\n@click.command()\ndef command():\n"
        "    warnings.warn('old', DeprecationWarning)\n    click.echo('done')\n"
        "toolkit.cli.cli = command\nfrom toolkit.__main__ import main\nmain([])"
    )
    child = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {"PYTHONWARNINGS": "error"}, capture_output=True, text=True,
        check=False, timeout=30,
    )  # fmt: skip

    assert (child.returncode, child.stdout, child.stderr) == (0, "done\n", "")
