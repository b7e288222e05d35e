"""The use case `sbom`: reads the bill of materials (CycloneDX JSON) that the build wrote into the image."""

import io
import tarfile

from image.build.build import require_image
from image.core.errors import EngineError
from image.engine import connect

PATH = "/opt/toolkit/sbom.cdx.json"


def sbom(reference: str) -> str:
    """The bill of materials as JSON text. Raises EngineError if the image is missing or has none."""
    engine = connect()
    require_image(engine, reference)
    with engine.archive(reference, PATH) as stream, tarfile.open(fileobj=io.BytesIO(b"".join(stream))) as archive:
        content = archive.extractfile(PATH.rpartition("/")[2])
        if content is None:
            raise EngineError(f"{reference} has no {PATH}.", next="Build it again: make build.")
        return content.read().decode()
