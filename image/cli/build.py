"""`image build`: prints the layers, the seconds and the digest."""

from pathlib import Path
from typing import cast, get_args

import click

from image.build.build import BuildConfig, BuildResult, Torch, build
from image.cli.console import notify, progress, show
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
@click.option("--model", default=DEFAULT_MODEL, show_default=True, help="The base model to bake in, or none.")
@click.option("--torch", type=click.Choice(get_args(Torch)), default="cuda", show_default=True, help="torch's build.")
@click.option("--base-image", metavar="NAME", help="The base image.  [default: the one pinned in the Dockerfile]")
@click.option("--wheels", type=FOLDER, help="A folder of wheels that your package index lacks.")
@click.option("--pip-config", type=FILE, help="A pip.conf for the build, such as a mirror's; not stored in any layer.")
@click.option("--ca-bundle", type=FILE, envvar="PIP_CERT", help="Certificates for pip.  [env: PIP_CERT]")
@click.option("--network", default="default", show_default=True, help="The build steps' network: default or host.")
@click.option("--no-cache", is_flag=True, help="Build without the cache.")
@click.option("--reproduce", is_flag=True, help="Build again without the cache, and compare the digests.")
def command(
    model: str, torch: str, base_image: str | None, wheels: Path | None, pip_config: Path | None,
    ca_bundle: Path | None, network: str, no_cache: bool, reproduce: bool,
) -> None:  # fmt: skip
    """Build the image with a base model baked in, and load it into the engine.

    Weights that are missing are downloaded first. They are checked against their lock on the host and in the build.
    """
    config = BuildConfig(
        model=model, torch=cast("Torch", torch), base_image=base_image, wheels=wheels, pip_config=pip_config,
        ca_bundle=ca_bundle, network=network, use_cache=not no_cache, reproduce=reproduce,
    )  # fmt: skip
    with progress() as listener:
        result = build(config, notify=notify, listener=listener)
    _show(result)
    if result.rebuilt_digest is not None and result.rebuilt_digest != result.digest:
        raise EngineError(
            f"The two builds differ: {result.digest} and {result.rebuilt_digest}.",
            next="A step leaves timestamps, logs or caches behind; see the comments in the Dockerfile.",
        )


def _show(result: BuildResult) -> None:
    for layer in result.layers:
        show(f"{layer.size_bytes / 1e6:10.1f} MB  {_short(layer.created_by)}")
    total = sum(layer.size_bytes for layer in result.layers)
    show(f"{total / 1e6:10.1f} MB  {result.reference}, {result.seconds:.0f} s")
    show(result.digest)
    if result.rebuilt_digest is not None:
        show(f"{result.rebuilt_digest} (second build)")


def _short(step: str) -> str:
    """A history entry without BuildKit's additions, cut to the line width."""
    words = " ".join(step.removeprefix("RUN ").split(" # buildkit")[0].split())
    return words if len(words) <= WIDTH else words[: WIDTH - 1] + "…"
