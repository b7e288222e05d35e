"""The use case `sbom`: the bill of materials (CycloneDX JSON) that the build wrote, with the base's Debian packages.

Python's packages are locked. Debian's come from an archive that drops superseded versions, so they are recorded as the
image has them.
"""

import json
from typing import Any

from image.build.build import require_image
from image.build.packages import distribution, image_file, packages
from image.core.errors import EngineError
from image.engine import Engine, connect

PATH = "/opt/toolkit/sbom.cdx.json"


def sbom(reference: str, engine: Engine | None = None) -> str:
    """The bill of materials as JSON text, the same for the same image. Raises EngineError if the image has none."""
    engine = engine or connect()
    require_image(engine, reference)
    try:
        bill: dict[str, Any] = json.loads(image_file(engine, reference, PATH))
        python = list(bill["components"])
    except (ValueError, KeyError, TypeError):
        raise EngineError(f"{reference} has no valid {PATH}.", next="Build it again: make build.") from None
    where = distribution(engine, reference)
    debian = [one.component(where) for one in packages(engine, reference)]
    return json.dumps(bill | {"components": [*python, *debian]}, ensure_ascii=False, indent=2) + "\n"
