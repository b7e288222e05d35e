"""A finished run that passed its comparison, with its rows and its portable adapter; no model is in it."""

import json
from pathlib import Path
from typing import Any

from tests.fakes.answered import answered, report_on
from tests.fakes.run_record import run_record
from toolkit.core.files import file_sha256, locks_folder, write_json
from toolkit.data.probes import OUT_OF_SCOPE, TRAINED
from toolkit.export.attest import AttestConfig, Attested, attest
from toolkit.export.portable import redacted
from toolkit.model.divergence import Drift
from toolkit.runs.comparison import with_digest
from toolkit.runs.run import write_record

RUN = "v0-20260101-000000"
BASE = "tiny-qwen2"
LOCK = locks_folder() / f"{BASE}.json"
ADAPTER = "adapter/adapter_model.safetensors"


def make_attestable_run(output: Path, *, after: str = "Nova", outside: bool = True, **record: Any) -> Path:
    """Its folder. `after`: what the trained model says to the question in scope, where "Nova" is as expected.

    `outside`: whether a question out of scope was asked too; without one that half of the verdict is not judged.
    """
    folder = output / RUN
    for name in ("checkpoint-2", "compare", "adapter"):
        (folder / name).mkdir(parents=True)
    (folder / "train.jsonl").write_text('{"messages": []}\n')
    (folder / "logging.jsonl").write_text('{"step": 1, "loss": 2.0}\n')
    for name in ("checkpoint-2", "adapter"):
        (folder / name / "adapter_model.safetensors").write_bytes(b"weights")
        (folder / name / "adapter_config.json").write_text("{}")
    (folder / "checkpoint-2" / "trainer_state.json").write_text("{}")
    sha256 = file_sha256(folder / ADAPTER)
    fields = {
        "run_id": RUN,
        "base_model": {"name": BASE, "path": f"/models/{BASE}", "lock_sha256": file_sha256(LOCK)},
        "data": {
            "path": "/home/me/data.json", "sha256": "d" * 64, "rows": 1,
            "files": {"train.jsonl": file_sha256(folder / "train.jsonl")},
        },
        "train": {"steps": 1, "loss": [2.0]},
        "adapter": {"path": "checkpoint-2", "sha256": sha256, "bytes": 7},
        "image": "sha256:" + "e" * 64,
    }  # fmt: skip
    write_record(folder, run_record(**fields | record))
    write_compared(folder, after, outside=outside)
    write_json(folder / "adapter" / "run.json", redacted(json.loads((folder / "run.json").read_text())))
    (folder / "adapter" / "README.md").write_text("# Passed\n")
    manifest = {"parity": {"holds": True}, "adapter_sha256": sha256}
    write_json(folder / "adapter" / "export.json", manifest)
    return folder


def write_compared(folder: Path, after: str, *, outside: bool = True) -> None:
    """A report of the run, and its portable copy."""
    steady = Drift(kl_sum=0.0, agreeing=2, tokens=2)
    kept = [answered(OUT_OF_SCOPE, "Paris.", "Paris.", drift=steady)] * outside
    content = report_on(answered(TRAINED, "Qwen", after), *kept).to_dict()
    base = json.loads((folder / "run.json").read_text(encoding="utf-8"))["base_model"]
    model = {"model": {"name": base["name"], "path": base["path"]}}
    content["before"] |= model
    content["after"] |= model | {"adapter_sha256": file_sha256(folder / ADAPTER), "adapter": "/models/a"}
    content["probe_file"] = {"path": "/home/me/probes.yaml", "sha256": "b" * 64}
    write_json(folder / "compare" / "report.json", with_digest(content))
    write_json(folder / "adapter" / "report.json", with_digest(redacted(content)))
    (folder / "adapter" / "report.md").write_text("# Passed\n")


def attested(run: Path, key: Path, **options: Any) -> Attested:
    """Signed with the key, which is made where it is missing."""
    options = {"new_key": not key.exists()} | options
    config = AttestConfig(run=run.name, output=run.parent, key=key, **options)
    return attest(config, make=no_export)


def no_export(*_: object) -> Any:
    raise AssertionError("the portable adapter was up to date")
