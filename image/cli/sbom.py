"""`image sbom`: prints the bill of materials as CycloneDX JSON."""

import click

from image.build.sbom import sbom
from image.core.project import DEFAULT_MODEL, local_reference


@click.command("sbom")
@click.option("--image", help="The image.  [default: the one built with --model]")
@click.option("--model", default=DEFAULT_MODEL, show_default=True, help="The base model that it was built with.")
def command(image: str | None, model: str) -> None:
    """Print the bill of materials of an image's Python environment: CycloneDX JSON, the same for every build."""
    click.echo(sbom(image or local_reference(model)), nl=False)
