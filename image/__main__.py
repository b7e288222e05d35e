"""The error boundary: prints an error in one or two lines and sets the exit code; --debug shows the traceback."""

import _thread
import signal
import sys
import time

AGAIN_AFTER_S = 0.01


def main(arguments: list[str] | None = None) -> None:
    """Everything is imported within, so that an interruption while it loads ends as any other does."""
    if sys.unraisablehook is sys.__unraisablehook__:
        sys.unraisablehook = keep_interruption
    try:
        from image.core.streams import output_failure, prepare_streams

        stdout = prepare_streams()
        for number in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is signal.SIG_DFL:
                signal.signal(number, signal.default_int_handler)  # as Ctrl-C: what is half done is removed
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
    """Runs the command; None if it ended well without an exit code of its own, as the command of `run` has."""
    import click

    from image.cli import cli
    from image.cli.chinese import shown, usage_shown
    from image.cli.console import notify
    from image.core.errors import ImageError, Interrupted
    from image.core.language import CHINESE, language, speak_as_named

    speak_as_named(arguments)
    debug = "--debug" in arguments
    try:
        code = cli.main(args=arguments, prog_name="image", standalone_mode=False)
    except (click.exceptions.Abort, KeyboardInterrupt):
        _print_interrupted()
        return Interrupted.exit_code
    except click.ClickException as error:
        if language() == CHINESE:
            for line in usage_shown(error):
                notify(line)
        else:
            error.show()
        return error.exit_code
    except ImageError as error:
        if debug:
            raise
        notify(shown(error))
        return error.exit_code
    except Exception as error:
        if debug:
            raise
        notify(
            f"Error: {type(error).__name__}: {error}. This is a bug: run the same command with --debug and report it."
        )
        return ImageError.exit_code
    return code if isinstance(code, int) else None


def _print_interrupted() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # a second Ctrl-C ends what is left to do, without a traceback
    print("Interrupted.", file=sys.stderr)


if __name__ == "__main__":
    main()
