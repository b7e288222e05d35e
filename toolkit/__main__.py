"""Turns errors into one or two lines on stderr and an exit code; `--debug` shows the traceback."""

import sys

import click

from toolkit.cli import cli
from toolkit.core.environment import let_waiting_threads_sleep
from toolkit.core.errors import Interrupted, ToolkitError
from toolkit.core.startup import relax_gc
from toolkit.core.text import one_line


def main(arguments: list[str] | None = None) -> None:
    let_waiting_threads_sleep()
    relax_gc()
    debug = "--debug" in (sys.argv[1:] if arguments is None else arguments)
    try:
        code = cli.main(args=arguments, prog_name="toolkit", standalone_mode=False)
    except click.exceptions.Abort:
        click.echo("Interrupted.", err=True)
        code = Interrupted.exit_code
    except KeyboardInterrupt:
        click.echo("Interrupted.", err=True)
        code = Interrupted.exit_code
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except ToolkitError as error:
        if debug:
            raise
        click.echo(f"Error: {one_line(str(error))}", err=True)
        code = error.exit_code
    except Exception as error:
        if debug:
            raise
        click.echo(
            f"Error: {type(error).__name__}: {one_line(str(error))}. This is a bug in the toolkit: "
            "run the same command with --debug and report what it prints.",
            err=True,
        )
        code = ToolkitError.exit_code
    sys.exit(code if isinstance(code, int) else 0)


if __name__ == "__main__":
    main()
