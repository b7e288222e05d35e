"""A run with its portable adapter, as `toolkit export --to adapter` leaves both; no model is in it."""

import hashlib
import json
import shutil
from pathlib import Path

RUN = "v0-20260101-000000"
WEIGHTS = b"weights " * 1000
DIGEST = hashlib.sha256(WEIGHTS).hexdigest()


def make_portable_run(output: Path, *, passed: bool | None = True, weights: bytes = WEIGHTS) -> Path:
    """The run's folder; `passed` None: it was never compared."""
    run = output / RUN
    portable = run / "adapter"
    portable.mkdir(parents=True)
    digest = hashlib.sha256(weights).hexdigest()
    record = {
        "schema_version": 1, "run_id": RUN, "status": "finished", "finished_at": "2026-01-01T00:00:00+00:00",
        "base_model": {"name": "mine", "repository": "me/mine", "revision": "a" * 40, "lock_sha256": None},
        "data": {"path": "data.json", "sha256": "d" * 64}, "recipe": {"precision": "bfloat16"},
        "adapter": {"path": "checkpoint-1", "sha256": digest, "bytes": len(weights)},
    }  # fmt: skip
    (run / "run.json").write_text(json.dumps(record))
    shutil.copyfile(run / "run.json", portable / "run.json")
    (portable / "adapter_model.safetensors").write_bytes(weights)
    (portable / "adapter_config.json").write_text("{}")
    (portable / "README.md").write_text("# A card\n")
    (portable / "export.json").write_text('{"exported_at": "today"}')
    if passed is not None:
        write_report(run / "compare" / "report.json", digest, passed=passed)
        write_report(portable / "report.json", digest, passed=passed)
    return run


def write_report(path: Path, digest: str, *, passed: bool, seconds: float = 1.0) -> None:
    report = {
        "after": {"adapter_sha256": digest},
        "verdict": {"passed": passed},
        "metrics": {},
        "timings_s": {"total": seconds},
    }
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(report))
