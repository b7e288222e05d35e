"""Turns errors into one or two lines on stderr and an exit code; `--debug` shows the traceback."""

import _thread
import signal
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import click

    from toolkit.core.errors import ToolkitError

AGAIN_AFTER_S = 0.01


def main(arguments: list[str] | None = None) -> None:
    """Everything is imported within, so that an interruption while it loads ends as any other does."""
    if sys.unraisablehook is sys.__unraisablehook__:
        sys.unraisablehook = keep_interruption
    try:
        from toolkit.core.environment import see_one_card
        from toolkit.core.events import interrupting_signals
        from toolkit.core.streams import output_failure, prepare_streams
        from toolkit.serve.warm.client import run_warm, speak_as_named

        speak_as_named(sys.argv[1:] if arguments is None else arguments)
        if arguments is None and (ended := run_warm(sys.argv[1:], _message)) is not None:
            sys.exit(ended)
        see_one_card()
        stdout = prepare_streams()
        with interrupting_signals():
            code = exit_code(sys.argv[1:] if arguments is None else arguments)
        failure = output_failure(stdout)
    except KeyboardInterrupt:
        _print_interrupted()
        sys.exit(130)
    if failure is not None:
        print(f"Error: stdout cannot be written: {failure.strerror}. The command did its work.", file=sys.stderr)
    sys.exit(code if code is not None else 0 if failure is None else 8)


def keep_interruption(dropped: "sys.UnraisableHookArgs") -> None:
    """Interrupts again: Python drops a Ctrl-C that comes within a destructor or a weak reference's callback."""
    if not issubclass(dropped.exc_type, KeyboardInterrupt):
        sys.__unraisablehook__(dropped)
        return

    def interrupt(thread: int) -> None:
        time.sleep(AGAIN_AFTER_S)  # until the callback is over
        signal.pthread_kill(thread, signal.SIGINT)

    _thread.start_new_thread(interrupt, (_thread.get_ident(),))


def exit_code(arguments: list[str]) -> int | None:
    """Runs the command; None if it ended well without an exit code of its own, as a verdict is."""
    import click

    from toolkit.cli import cli
    from toolkit.core.environment import ignore_launcher, let_waiting_threads_sleep
    from toolkit.core.errors import (
        RAISE_LIMIT,
        Interrupted,
        ToolkitError,
        is_interruption,
        is_over_limit,
        named_variable,
        unwritten,
    )
    from toolkit.core.links import circle_of_links
    from toolkit.core.startup import keep_caches_at_home, relax_gc, relax_python

    debug = "--debug" in arguments
    let_waiting_threads_sleep()
    keep_caches_at_home()
    relax_gc()
    if ignored := ignore_launcher():
        click.echo(f"Ignored, since a launcher of several processes left them: {', '.join(ignored)}.", err=True)
    try:
        relax_python()
        code = cli.main(args=arguments, prog_name="toolkit", standalone_mode=False)
    except (click.exceptions.Abort, KeyboardInterrupt):
        _print_interrupted()
        return Interrupted.exit_code
    except click.ClickException as error:
        _show_usage_error(error)
        return error.exit_code
    except ToolkitError as error:
        if debug:
            raise
        if RAISE_LIMIT not in error.next and is_over_limit(error):
            error = type(error)(error.what, next=RAISE_LIMIT)  # another folder, as most propose, has the same limit
        click.echo(_failure(error), err=True)
        return error.exit_code
    except Exception as error:
        if is_interruption(error):  # a library that was interrupted while it loaded may say so in its own way
            _print_interrupted()
            return Interrupted.exit_code
        if debug:
            raise
        failed = unwritten(error) or named_variable(error) or circle_of_links(error) or _bug(error)
        click.echo(_failure(failed), err=True)
        return failed.exit_code
    return code if isinstance(code, int) else None


def _bug(error: Exception) -> "ToolkitError":
    from toolkit.core.errors import ToolkitError

    return ToolkitError(
        f"{type(error).__name__}: {error}.",
        next="This is a bug in the toolkit: run the same command with --debug and report what it prints.",
    )


def _message(text: str) -> str:
    """In the language of the user, whose catalogue is read only where it is not English."""
    from toolkit.core import environment

    if environment.language() != "zh":
        return text
    from toolkit.cli.console.chinese import translated

    return translated(text)


def _failure(error: "ToolkitError") -> str:
    from toolkit.cli.console.failures import shown

    label = _message("Error:")
    return f"{label}{' ' * label.isascii()}{shown(error)}"


def _show_usage_error(error: "click.ClickException") -> None:
    import click

    from toolkit.cli.console.chinese import is_asked_for
    from toolkit.cli.console.failures import usage_error

    if is_asked_for():
        click.echo(usage_error(error), err=True)
    else:
        error.show()


def _print_interrupted() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # a second Ctrl-C ends what is left to do, without a traceback
    print(_message("Interrupted."), file=sys.stderr)


if __name__ == "__main__":
    main()
