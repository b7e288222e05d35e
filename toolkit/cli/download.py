"""`toolkit download`: stdout is the folder, stderr the talk."""

from pathlib import Path
from typing import cast, get_args

import click

from toolkit.cli.console import notify, progress
from toolkit.model.download import DownloadConfig, DownloadResult, download
from toolkit.model.hub.fetch import MODELSCOPE_REVISION, Source
from toolkit.model.lock import DEFAULT_MODEL

EXAMPLES = """\b
Examples:
  $ toolkit download
  $ toolkit download --to /data/Qwen2.5-7B-Instruct
  $ toolkit download --source modelscope
"""


@click.command("download", epilog=EXAMPLES)
@click.argument("model", default=DEFAULT_MODEL)
@click.option(
    "--to", type=click.Path(path_type=Path), help="The folder to fill.  [default: ./models/<the model's own>]"
)
@click.option("--endpoint", metavar="URL", help="A mirror of the hub.  [default: HF_ENDPOINT, or the hub itself]")
@click.option("--source", type=click.Choice(get_args(Source)), default="hf", show_default=True, help="Which hub.")
def command(model: str, to: Path | None, endpoint: str | None, source: str) -> None:
    """Fetch a base model at its locked revision, and check every file against the lock.

    A download that was cut goes on where it stopped. The folder appears only when it is whole.
    """
    if source == "modelscope":
        notify(f"revision: {MODELSCOPE_REVISION} (ModelScope numbers its own; the lock's sha256 decides)")
    config = DownloadConfig(model=model, to=to, endpoint=endpoint, source=cast("Source", source))
    with progress() as listener:
        result = download(config, listener=listener)
    notify(_told(result))
    click.echo(result.folder)


def _told(result: DownloadResult) -> str:
    size = f"{len(result.lock.files)} files, {result.lock.total_bytes / 1e9:.2f} GB"
    if result.fetched:
        return f"{result.lock.folder} is whole: {size}, all as the lock says."
    return f"{result.lock.folder} was there already: {size}, all as the lock says. Nothing was fetched."
