"""Adds to an unknown option the ones that it most likely means."""

import click

from toolkit.core.spelling import did_you_mean


def spelling_error(error: click.NoSuchOption) -> click.UsageError:
    """The same error, with suggestions from the options of the command that was called."""
    if error.ctx is None:
        return error
    options = [
        name
        for parameter in error.ctx.command.get_params(error.ctx)
        for name in (*parameter.opts, *parameter.secondary_opts)
        if name.startswith("--")
    ]
    message = f"No such option {error.option_name!r}.{did_you_mean(error.option_name, options)}"
    return click.UsageError(message, error.ctx)
