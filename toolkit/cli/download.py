"""`toolkit download`: stdout is the base model's folder."""

from pathlib import Path
from typing import cast, get_args

import click

from toolkit.cli.console import notify, progress, show
from toolkit.cli.options import PATH, say_home
from toolkit.model.download import DownloadConfig, DownloadResult, download
from toolkit.model.hub.fetch import MODELSCOPE_REVISION, Source
from toolkit.model.lock import DEFAULT_MODEL

EXAMPLES = """\b
Examples:
  $ toolkit download
  $ toolkit download --to /data/Qwen2.5-7B-Instruct
  $ toolkit download --source modelscope
  $ toolkit download --endpoint oci://registry.lan/models/qwen2.5-7b
  $ toolkit download --endpoint /mnt/stick/Qwen2.5-7B-Instruct
  $ toolkit download HuggingFaceTB/SmolLM2-135M-Instruct
"""


@click.command("download", epilog=EXAMPLES)
@click.argument("model", default=DEFAULT_MODEL)
@click.option("--to", type=PATH, help="Target folder.  [default: ./models/ and the model's own name]")
@click.option(
    "--endpoint",
    metavar="URL|FOLDER",
    help="A mirror of the hub, oci://HOST/NAME of a registry, or a folder.  [default: HF_ENDPOINT, or the hub]",
)
@click.option("--source", type=click.Choice(get_args(Source)), default="hf", show_default=True, help="Which hub.")
def command(model: str, to: Path | None, endpoint: str | None, source: str) -> None:
    """Download a base model at its locked revision.

    MODEL is a known name, or OWNER/NAME of the hub that --source names, on Hugging Face with @REVISION if you like:
    its lock is then written to models/locks, and holds from then on.

    Large files come in pieces over several connections. Every file is checked against the lock. An interrupted
    download resumes where it stopped; the folder appears only when it is complete, and commands that start meanwhile
    wait for it.
    """
    if to is None:
        say_home()
    if source == "modelscope":
        notify(f"revision: {MODELSCOPE_REVISION} (ModelScope has its own revisions; the lock's sha256 decides)")
    config = DownloadConfig(model=model, to=to, endpoint=endpoint, source=cast("Source", source))
    with progress() as listener:
        result = download(config, listener=listener)
    notify(_summary(result))
    show(result.folder)


def _summary(result: DownloadResult) -> str:
    size = f"{len(result.lock.files)} files, {result.lock.total_bytes / 1e9:.2f} GB, all matching the lock"
    if result.fetched:
        return f"{result.lock.folder} is complete: {size}."
    return f"{result.lock.folder} was already there: {size}. Nothing was downloaded."
