"""What is stated about an image when it is published: where it came from (SLSA provenance) and what is in it. Pure.

Both are made from the image and nothing else, so that everybody who has it can make them again and compare: they have
no time and nothing of the machine in them. BuildKit's own provenance has both, and would make each build another image.
https://slsa.dev/spec/v1.0/provenance · https://cyclonedx.org/specification/overview/
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from image.core import labels

PROVENANCE, SBOM = "https://slsa.dev/provenance/v1", "https://cyclonedx.org/bom"
BUILD_TYPE = "https://finetune-and-prove/image-build/v1"  # a name, not an address
COMMIT = re.compile(r"[0-9a-f]{40}")


def provenance(of: Mapping[str, str]) -> dict[str, Any]:
    """The predicate, from the image's labels. A revision with local changes is named, but has no digest."""
    return {
        "buildDefinition": {
            "buildType": BUILD_TYPE,
            "externalParameters": {
                "model": of.get(labels.MODEL_NAME, ""), "version": of.get(labels.VERSION, ""),
                "created": of.get(labels.CREATED, ""),
            },
            "resolvedDependencies": list(_dependencies(of)),
        },
        "runDetails": {"builder": {"id": BUILD_TYPE}},
    }  # fmt: skip


def _dependencies(of: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    revision = of.get(labels.REVISION, "")
    digest = {"digest": {"gitCommit": revision}} if COMMIT.fullmatch(revision) else {}
    yield {"name": "source", "uri": f"git+{of.get(labels.SOURCE, 'unknown')}@{revision}"} | digest
    base = of.get(labels.BASE_DIGEST, "")
    digest = {"digest": {"sha256": base.removeprefix("sha256:")}} if base else {}
    yield {"name": "base image", "uri": f"docker://{of.get(labels.BASE_NAME, '')}"} | digest
    if lock := of.get(labels.MODEL_LOCK_SHA256):
        where = of.get(labels.MODEL_REPOSITORY) or of.get(labels.MODEL_NAME, "")
        yield {
            "name": "lock of the base model", "uri": f"{where}@{of.get(labels.MODEL_REVISION, '')}",
            "digest": {"sha256": lock},
        }  # fmt: skip


def predicates(of: Mapping[str, str], bill: str) -> dict[str, Any]:
    """By their kinds. `bill`: the image's bill of materials, CycloneDX JSON."""
    return {PROVENANCE: provenance(of), SBOM: json.loads(bill)}


def first_difference(stated: Any, found: Any, at: str = "") -> str | None:
    """Where two JSON values first differ, and how; None if they are equal."""
    if stated == found:
        return None
    if isinstance(stated, dict) and isinstance(found, dict):
        keys = [*found, *(key for key in stated if key not in found)]
        inner = (first_difference(stated.get(key), found.get(key), f"{at}.{key}".lstrip(".")) for key in keys)
        return next(text for text in inner if text is not None)
    if isinstance(stated, list) and isinstance(found, list) and len(stated) == len(found):
        pairs = enumerate(zip(stated, found, strict=True))
        inner = (first_difference(one, other, f"{at}[{index}]") for index, (one, other) in pairs)
        return next(text for text in inner if text is not None)
    return f"{at}: {_short(stated)} is stated, and the image has {_short(found)}"


def _short(value: Any) -> str:
    text = f"{len(value)} entries" if isinstance(value, list) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:79]}…"  # noqa: PLR2004  # of a line
