"""Suggests the command or option that a mistyped one most likely means. Pure."""

from collections.abc import Sequence
from difflib import get_close_matches

import click

MOST_SUGGESTIONS = 3


def nearest(word: str, names: Sequence[str]) -> list[str]:
    """Names whose initials are `word` (lr: learning-rate), then those that it begins; else those spelled alike."""
    bare = word.lstrip("-").replace("_", "-").lower()
    by_bare = {name.lstrip("-"): name for name in names}
    initials = [name for name in by_bare if len(bare) > 1 and bare == "".join(part[:1] for part in name.split("-"))]
    begun = [name for name in by_bare if bare and name.startswith(bare)]
    found = dict.fromkeys((*initials, *begun)) or get_close_matches(bare, by_bare)
    return [by_bare[name] for name in found][:MOST_SUGGESTIONS]


def did_you_mean(word: str, names: Sequence[str]) -> str:
    """` Did you mean 'finetune'?`, or nothing."""
    found = [repr(name) for name in nearest(word, names)]
    return f" Did you mean {' or '.join(found)}?" if found else ""


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
