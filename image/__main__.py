"""The error boundary: prints an error in one or two lines and sets the exit code; --debug shows the traceback."""

import sys

import click

from image.cli import cli
from image.cli.console import notify
from image.core.errors import ImageError, Interrupted


def main(arguments: list[str] | None = None) -> None:
    debug = "--debug" in (sys.argv[1:] if arguments is None else arguments)
    try:
        code = cli.main(args=arguments, prog_name="image", standalone_mode=False)
    except (click.exceptions.Abort, KeyboardInterrupt):
        notify("Interrupted.")
        code = Interrupted.exit_code
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except ImageError as error:
        if debug:
            raise
        notify(f"Error: {error}")
        code = error.exit_code
    except Exception as error:
        if debug:
            raise
        notify(
            f"Error: {type(error).__name__}: {error}. This is a bug: run the same command with --debug and report it."
        )
        code = ImageError.exit_code
    sys.exit(code if isinstance(code, int) else 0)


if __name__ == "__main__":
    main()
