"""`image build`: stdout is the digest, a table of the layers and the seconds; stderr the talk."""

from pathlib import Path
from typing import cast, get_args

import click

from image.build.build import BuildConfig, BuildResult, Torch, build
from image.cli.console import progress, say
from image.core.errors import EngineError
from image.core.project import DEFAULT_MODEL

EXAMPLES = """\b
Examples:
  $ python -m image build
  $ python -m image build --model tiny-qwen2 --torch cpu --wheels ~/wheels
  $ python -m image build --reproduce
"""
WIDTH = 60
FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)
FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command("build", epilog=EXAMPLES)
@click.option("--model", default=DEFAULT_MODEL, show_default=True, help="A base model's lock, or none.")
@click.option("--torch", type=click.Choice(get_args(Torch)), default="cuda", show_default=True, help="torch's build.")
@click.option("--base-image", metavar="NAME", help="The image beneath.  [default: the Dockerfile's own, by digest]")
@click.option("--wheels", type=FOLDER, help="A folder of wheels that your package index does not have.")
@click.option("--pip-config", type=FILE, help="A pip.conf for the build, such as a mirror's; no layer holds it.")
@click.option("--ca-bundle", type=FILE, envvar="PIP_CERT", help="Certificates for pip.  [env: PIP_CERT]")
@click.option("--network", default="default", show_default=True, help="Of the build's steps: default, host.")
@click.option("--no-cache", is_flag=True, help="Build every step anew.")
@click.option("--reproduce", is_flag=True, help="Build twice, the second time from nothing, and compare the digests.")
def command(
    model: str, torch: str, base_image: str | None, wheels: Path | None, pip_config: Path | None,
    ca_bundle: Path | None, network: str, no_cache: bool, reproduce: bool,
) -> None:  # fmt: skip
    """Build the image with a base model baked in, and load it into the engine.

    The weights are checked against their lock on the host and again inside the build; absent ones are fetched first.
    """
    config = BuildConfig(
        model=model, torch=cast("Torch", torch), base_image=base_image, wheels=wheels, pip_config=pip_config,
        ca_bundle=ca_bundle, network=network, use_cache=not no_cache, reproduce=reproduce,
    )  # fmt: skip
    with progress() as listener:
        result = build(config, say=say, listener=listener)
    _show(result)
    if result.again is not None and result.again != result.digest:
        raise EngineError(
            f"Two builds differ: {result.digest} and {result.again}.",
            next="A step leaves times, logs or caches behind; see the comments in the Dockerfile.",
        )


def _show(result: BuildResult) -> None:
    for layer in result.layers:
        click.echo(f"{layer.size_bytes / 1e6:10.1f} MB  {_short(layer.created_by)}")
    total = sum(layer.size_bytes for layer in result.layers)
    click.echo(f"{total / 1e6:10.1f} MB  {result.reference}, {result.seconds:.0f} s")
    click.echo(result.digest)
    if result.again is not None:
        click.echo(f"{result.again} (built again)")


def _short(step: str) -> str:
    """A history entry without BuildKit's own words, cut to the line."""
    words = " ".join(step.removeprefix("RUN ").split(" # buildkit")[0].split())
    return words if len(words) <= WIDTH else words[: WIDTH - 1] + "…"
