"""`toolkit serve`: base and tuned model under two names of one OpenAI-compatible address."""

from pathlib import Path

import click

from toolkit.cli.console import notify
from toolkit.cli.options import BASE_ONLY, OUTPUT, RUN, RUN_MODEL, SYSTEM, max_new_tokens_option
from toolkit.serve.serve import BACKENDS, ServeConfig, Serving, read_api_key, serve

EXAMPLES = """\b
Examples:
  $ toolkit serve v3
  $ curl http://127.0.0.1:8000/v1/models
  $ TOOLKIT_API_KEY=… toolkit serve --host 0.0.0.0
"""


@click.command(epilog=EXAMPLES)
@RUN
@BASE_ONLY
@RUN_MODEL
@SYSTEM
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at; 0.0.0.0 is every one.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0: any that is free.")
@click.option("--api-key-file", type=click.Path(path_type=Path, dir_okay=False), default=None,
              help="The key that clients must send.  [default: TOOLKIT_API_KEY, else none]")  # fmt: skip
@click.option("--backend", type=click.Choice(BACKENDS), default="auto", show_default=True, help="What computes.")
@click.option("--batch-size", type=click.IntRange(1, 256), default=8, show_default=True,
              help="Questions that transformers answers together.")  # fmt: skip
@click.option("--at-once", "max_concurrent", type=click.IntRange(1, 10000), default=64, show_default=True,
              help="Questions under way and waiting; more are told 429.")  # fmt: skip
@max_new_tokens_option(default=1024, most=32768)
@OUTPUT
def command(
    run: str | None, base_only: bool, model: str | None, system: str | None, host: str, port: int,
    api_key_file: Path | None, backend: str, batch_size: int, max_concurrent: int, max_new_tokens: int, output: Path,
) -> None:  # fmt: skip
    """Serve base and tuned model as an OpenAI-compatible endpoint.

    RUN is the latest finished one by default; it and its base model answer side by side, over one copy of the weights.
    --system is for requests without a system prompt of their own.
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
    notify(f"System prompt of requests without one: {serving.system or 'none'}")
    if serving.exposed and not serving.key_needed:
        notify(
            "Warning: other machines reach this, and no API key is asked for. Set TOOLKIT_API_KEY or --api-key-file."
        )
    notify("Ctrl-C stops.")
