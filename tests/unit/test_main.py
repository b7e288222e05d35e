"""The boundary: every end of a command becomes an exit code, and every error a line or two without a traceback."""

import os

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
