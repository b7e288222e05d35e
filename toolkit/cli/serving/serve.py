"""`toolkit serve`: base and tuned model under two names of one OpenAI-compatible address."""

from pathlib import Path

import click

from toolkit.cli.console import notify, tell
from toolkit.cli.console.chinese import user_texts
from toolkit.cli.options import BASE_ONLY, OUTPUT, RUN, RUN_MODEL, SYSTEM, max_new_tokens_option
from toolkit.compare.texts import system_name
from toolkit.serve.serve import ServeConfig, Serving, read_api_key, serve

EXAMPLES = """\b
Examples:
  $ toolkit serve v3
  $ curl http://127.0.0.1:8000/v1/models
  $ toolkit serve v3 --name nova --allow-origin http://localhost:3000
  $ TOOLKIT_API_KEY=… toolkit serve --host 0.0.0.0
"""


@click.command(epilog=EXAMPLES)
@RUN
@BASE_ONLY
@RUN_MODEL
@click.option("--name", default=None,
              help="Of the tuned model; with --base, of the base model.  "
              "[default: the run's id, the folder's name]")  # fmt: skip
@SYSTEM
@click.option("--host", default="127.0.0.1", show_default=True,
              help="Address to listen on; 0.0.0.0 for every interface.")  # fmt: skip
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0 for any free port.")
@click.option("--api-key-file", type=click.Path(path_type=Path, dir_okay=False), default=None,
              help="File with the key that clients must send.  [default: TOOLKIT_API_KEY, else none]")  # fmt: skip
@click.option("--allow-origin", "origins", multiple=True, metavar="ORIGIN",
              help="A page's origin, such as http://localhost:3000, whose scripts may use the server; repeatable.  "
              "[default: none]")  # fmt: skip
@click.option("--batch-size", type=click.IntRange(1, 256), default=8, show_default=True,
              help="Questions to answer together.")  # fmt: skip
@click.option("--at-once", "max_concurrent", type=click.IntRange(1, 10000), default=64, show_default=True,
              help="Questions active and waiting; more get status 429.")  # fmt: skip
@max_new_tokens_option(default=1024, most=32768)
@OUTPUT
def command(
    run: str | None, base_only: bool, model: str | None, name: str | None, system: str | None, host: str, port: int,
    api_key_file: Path | None, origins: tuple[str, ...], batch_size: int, max_concurrent: int,
    max_new_tokens: int, output: Path,
) -> None:  # fmt: skip
    """Serve base and tuned model as an OpenAI-compatible endpoint.

    RUN is the latest finished one by default; it and its base model answer side by side, over one copy of the weights.
    Whatever their names, "base" and "tuned" stand for them too.
    --system is for requests without a system prompt of their own.
    The line on stdout appears as soon as they answer. The page at / puts the same question to both. Ctrl-C or SIGTERM
    stops the server with exit code 0.
    """
    if base_only and run is not None:
        raise click.UsageError("Name a run or --base, not both.")
    config = ServeConfig(
        run=run, base_only=base_only, model=model, name=name, system=system, host=host, port=port,
        api_key=read_api_key(api_key_file), batch_size=batch_size, max_concurrent=max_concurrent,
        max_new_tokens=max_new_tokens, origins=origins, output=output,
    )  # fmt: skip
    serve(config, ready=_print_address, notify=notify)
    notify("Stopped.")


def _print_address(serving: Serving) -> None:
    tell(f"{serving.address}/v1 answers as {' and '.join(serving.names)}")
    notify(f"Side by side: {serving.address}/")
    notify(f"System prompt of requests without one: {system_name(serving.system, user_texts())}")
    if serving.exposed and not serving.key_needed:
        notify(
            "Warning: other machines can reach this server, and it needs no API key. "
            "Set TOOLKIT_API_KEY or --api-key-file."
        )
    notify("Ctrl-C stops.")
