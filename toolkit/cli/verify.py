"""`toolkit verify`: stdout has one line per wrong file, or OK, or JSON. Uses no network."""

from pathlib import Path

import click

from toolkit.cli.console import notify, progress, show, show_json, tell
from toolkit.cli.options import JSON, PATH
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
@JSON
@click.pass_context
def command(ctx: click.Context, folder: Path, name: str | None, as_json: bool) -> None:
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
            found.append(one_line(str(mismatch)))
            if not as_json:
                show(found[-1])
    if as_json:
        show_json({
            "schema_version": 1, "lock": lock.name, "verified": not found, "files": len(lock.files),
            "bytes": lock.total_bytes, "mismatches": found,
        })  # fmt: skip
    if found:
        ctx.exit(ModelError.exit_code)
    if not as_json:
        tell(f"OK {len(lock.files)} files, {lock.total_bytes} bytes")
