"""The use case `sbom`: the bill of materials that the build wrote into the image (CycloneDX, JSON)."""

import io
import tarfile

from image.build.build import require_image
from image.core.errors import EngineError
from image.engine import connect

PATH = "/opt/toolkit/sbom.cdx.json"


def sbom(reference: str) -> str:
    """Its text. Raises EngineError where the image has none."""
    engine = connect()
    require_image(engine, reference)
    with engine.archive(reference, PATH) as stream, tarfile.open(fileobj=io.BytesIO(b"".join(stream))) as archive:
        content = archive.extractfile(PATH.rpartition("/")[2])
        if content is None:
            raise EngineError(f"{reference} has no {PATH}.", next="Build it afresh: make build.")
        return content.read().decode()
