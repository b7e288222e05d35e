"""`toolkit verify`: stdout is the verdict, a line a wrong file; no network."""

from pathlib import Path

import click

from toolkit.cli.console import notify, progress
from toolkit.core.errors import ConfigError, ModelError
from toolkit.model.lock import choose_lock
from toolkit.model.verify import mismatches

EXAMPLES = """\b
Examples:
  $ toolkit verify models/Qwen2.5-7B-Instruct
  $ toolkit verify /data/my-copy --lock qwen2.5-7b-instruct
"""


@click.command("verify", epilog=EXAMPLES)
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--lock", "wanted", metavar="NAME|FILE", help="The lock.  [default: by DIR's name, then its config.json]")
@click.pass_context
def command(ctx: click.Context, folder: Path, wanted: str | None) -> None:
    """Check a base model's files against its lock, offline.

    Exits with 0 when every file is as the lock says, else with 4 and one line for each that is not.
    """
    if not folder.is_dir():
        raise ConfigError(f"{folder} is no folder.", next='"toolkit download" fetches a base model.')
    lock = choose_lock(folder, wanted)
    notify(f"lock: {lock.name} ({'named' if wanted else 'fits the folder'})")
    found = []
    with progress() as listener:
        for mismatch in mismatches(folder, lock, listener):
            click.echo(mismatch)
            found.append(mismatch)
    if found:
        ctx.exit(ModelError.exit_code)
    click.echo(f"OK {len(lock.files)} files, {lock.total_bytes} bytes")
