"""Collects what the parity gates of a run's exports measured, with the sizes of what was written.

python bench/exports.py OUTPUT/RUN > bench/results/exports-….json
"""

import json
import sys
from pathlib import Path


def main(run: Path) -> None:
    record = json.loads((run / "run.json").read_text(encoding="utf-8"))
    versions = {name: record["versions"][name] for name in ("torch", "transformers", "peft", "ms_swift")}
    exports = {}
    for manifest in sorted(run.glob("*/export.json")):
        found = json.loads(manifest.read_text(encoding="utf-8"))
        size = sum(path.stat().st_size for path in manifest.parent.iterdir())
        exports[manifest.parent.name] = {"bytes": size, "parity": found["parity"]}
    base = {name: record["base_model"][name] for name in ("name", "revision")}
    print(json.dumps({"base_model": base, "steps": record["train"]["steps"], "versions": versions,
                      "exports": exports}, indent=2, ensure_ascii=False))  # fmt: skip


if __name__ == "__main__":
    main(Path(sys.argv[1]))
