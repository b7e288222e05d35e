"""`toolkit push-to-hub`: stdout is the repository and its commit, as others name it."""

from pathlib import Path
from typing import cast, get_args

import click

from toolkit.cli.console import notify, progress, show
from toolkit.cli.options import GATE_PROBES, OUTPUT, RUN_MODEL
from toolkit.export.push_to_hub import PushConfig, push_to_hub
from toolkit.model.hub.fetch import Source

EXAMPLES = """\b
Examples:
  $ toolkit push-to-hub me/my-adapter
  $ toolkit push-to-hub v3 me/my-adapter --public
  $ toolkit push-to-hub me/my-adapter --to modelscope
"""


@click.command("push-to-hub", epilog=EXAMPLES)
@click.argument("names", nargs=-1, required=True, metavar="[RUN] OWNER/NAME")
@click.option("--public", is_flag=True, help="Make a new repository public.  [default: private]")
@click.option("--even-if-failed", is_flag=True, help="Also if the verdict failed or the run was not compared.")
@click.option("--to", type=click.Choice(get_args(Source)), default="hf", show_default=True, help="Which hub.")
@click.option("--endpoint", metavar="URL", help="A mirror, or a hub of your own.  [default: HF_ENDPOINT, or the hub]")
@RUN_MODEL
@GATE_PROBES
@OUTPUT
def command(
    names: tuple[str, ...], public: bool, even_if_failed: bool, to: str, endpoint: str | None, model: str | None,
    probes: Path | None, output: Path,
) -> None:  # fmt: skip
    """Upload a run's adapter, card and report to a hub.

    They go to the repository OWNER/NAME on the Hugging Face Hub, or with --to modelscope on ModelScope.
    RUN is a run's id or folder; the default is the latest finished run.
    A repository that does not exist is created, private unless --public is given. The token is that of
    "hf auth login", or HF_TOKEN; on ModelScope that of
    "modelscope login", or MODELSCOPE_API_TOKEN. A run that did not pass its comparison is refused.
    """
    if len(names) > 2:  # noqa: PLR2004  # a run and a repository
        raise click.UsageError(f"Too many names: {' '.join(names)}. Write [RUN] OWNER/NAME.")
    *run, repository = names
    config = PushConfig(
        repository=repository, run=run[0] if run else None, public=public, even_if_failed=even_if_failed,
        to=cast("Source", to), endpoint=endpoint, model=model, probes=probes, output=output,
    )  # fmt: skip
    with progress() as listener:
        result = push_to_hub(config, listener=listener)
    if not result.uploaded.fresh:
        notify("The hub already had every file.")
    notify(f"{result.uploaded.url} ({'private' if result.private else 'public'}; verdict: {result.verdict})")
    show(f"{result.uploaded.repository}@{result.uploaded.commit}")
