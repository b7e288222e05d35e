"""`toolkit verify`: stdout has one line per wrong file, or OK. Uses no network."""

from pathlib import Path

import click

from toolkit.cli.console import notify, progress, show
from toolkit.cli.options import PATH
from toolkit.core.errors import ConfigError, ModelError
from toolkit.core.suggestion import suggestion
from toolkit.core.text import one_line
from toolkit.model.lock import choose_lock
from toolkit.model.verify import mismatches

EXAMPLES = """\b
Examples:
  $ toolkit verify models/Qwen2.5-7B-Instruct
  $ toolkit verify /data/my-copy --lock qwen2.5-7b-instruct
"""


@click.command("verify", epilog=EXAMPLES)
@click.argument("folder", metavar="DIR", type=PATH)
@click.option("--lock", "name", metavar="NAME|FILE", help="The lock.  [default: by DIR's name, then its config.json]")
@click.pass_context
def command(ctx: click.Context, folder: Path, name: str | None) -> None:
    """Check a base model's files against its lock, offline.

    The exit code is 0 if every file matches the lock, else 4, with one line per file that does not.
    """
    if not folder.is_dir():
        raise ConfigError(f"{folder} is not a folder.", next=f'Run "{suggestion("download")}" to get a base model.')
    lock = choose_lock(folder, name)
    notify(f"lock: {lock.name} ({'named' if name else 'fits the folder'})")
    found = []
    with progress() as listener:
        for mismatch in mismatches(folder, lock, listener):
            show(one_line(str(mismatch)))
            found.append(mismatch)
    if found:
        ctx.exit(ModelError.exit_code)
    show(f"OK {len(lock.files)} files, {lock.total_bytes} bytes")
