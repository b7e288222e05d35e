"""`toolkit serve`: base and tuned model under two names of one OpenAI-compatible address."""

from pathlib import Path

import click

from toolkit.cli.console import notify
from toolkit.compare.texts import Texts
from toolkit.compare.verdict import system_name
from toolkit.model.conversation import NO_SYSTEM_HELP
from toolkit.serve.serve import BACKENDS, ServeConfig, Serving, read_api_key, serve

EXAMPLES = """\b
Examples:
  $ toolkit serve v3
  $ curl http://127.0.0.1:8000/v1/models
  $ TOOLKIT_API_KEY=… toolkit serve --host 0.0.0.0
"""


@click.command(epilog=EXAMPLES, short_help="Serve base and tuned model as an OpenAI-compatible endpoint.")
@click.argument("run", required=False)
@click.option("--base", "base_only", is_flag=True, help="Serve the base model alone.")
@click.option("--model", default=None, help="Base model.  [default: the run's own]")
@click.option("--system", default=None, help=f"For requests without one; {NO_SYSTEM_HELP}  [default: the run's]")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at; 0.0.0.0 is every one.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0: any that is free.")
@click.option("--api-key-file", type=click.Path(path_type=Path, dir_okay=False), default=None,
              help="The key that clients must send.  [default: TOOLKIT_API_KEY, else none]")  # fmt: skip
@click.option("--backend", type=click.Choice(BACKENDS), default="auto", show_default=True, help="What computes.")
@click.option("--batch-size", type=click.IntRange(1, 256), default=8, show_default=True,
              help="Questions that transformers answers together.")  # fmt: skip
@click.option("--at-once", "max_concurrent", type=click.IntRange(1, 10000), default=64, show_default=True,
              help="Questions under way and waiting; more are told 429.")  # fmt: skip
@click.option(
    "--max-new-tokens", type=click.IntRange(1, 32768), default=1024, show_default=True, help="Longest answer."
)
@click.option("--output", type=click.Path(path_type=Path), default=Path("output"), show_default=True, help="Runs.")
def command(
    run: str | None, base_only: bool, model: str | None, system: str | None, host: str, port: int,
    api_key_file: Path | None, backend: str, batch_size: int, max_concurrent: int, max_new_tokens: int, output: Path,
) -> None:  # fmt: skip
    """Serve RUN (default: the latest finished one) and its base model side by side, over one load.

    The line on stdout comes when they answer. At / is a page on which both answer the same question. Ctrl-C or
    SIGTERM ends it with exit code 0.
    """
    if base_only and run is not None:
        raise click.UsageError("Name a run or --base, not both.")
    config = ServeConfig(
        run=run, base_only=base_only, model=model, system=system, host=host, port=port,
        api_key=read_api_key(api_key_file), backend=backend, batch_size=batch_size, max_concurrent=max_concurrent,
        max_new_tokens=max_new_tokens, output=output,
    )  # fmt: skip
    serve(config, ready=_tell, notify=notify)
    notify("Stopped.")


def _tell(serving: Serving) -> None:
    click.echo(f"{serving.address}/v1 answers as {' and '.join(serving.names)}")
    notify(f"Side by side: {serving.address}/")
    notify(f"System prompt of requests without one: {system_name(serving.system, Texts())}")
    if serving.exposed and not serving.key_needed:
        notify(
            "Warning: other machines reach this, and no API key is asked for. Set TOOLKIT_API_KEY or --api-key-file."
        )
    notify("Ctrl-C stops.")
