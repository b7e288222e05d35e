"""A finished run: finds it, reads its record, and lays out its adapter, record and report as one small image layer."""

import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from image.core import labels
from image.core.errors import ConfigError, first_line
from image.core.files import content_digest, file_digest, shareable_files
from image.core.suggestion import make_command

RECORD = "run.json"
WEIGHTS = "adapter_model.safetensors"
CONTENT_DIGEST = "content_sha256"  # in report.json
PARTS = (RECORD, "logging.jsonl", "compare")
LABEL_VALUE = re.compile(r"[\w.\-]+", re.ASCII)
# Needed to resume training, not to use the adapter; they are most of a checkpoint's bytes.
TRAINING_STATE = ("optimizer.pt", "scheduler.pt", "rng_state*.pth", "scaler.pt")


@dataclass(frozen=True, kw_only=True)
class RunLayer:
    run_id: str
    folder: Path
    adapter: str  # relative to the run's folder
    adapter_sha256: str
    verdict: str  # "passed", "failed", or "not compared"

    @contextmanager
    def context(self, base: str, epoch: int) -> Iterator[tuple[Path, Path]]:
        """Yields a build context that mirrors the root folder, and its Dockerfile, which starts from the image `base`.

        All timestamps in the context are `epoch`, in seconds.
        """
        with tempfile.TemporaryDirectory(prefix="run-layer-") as folder:
            context = Path(folder) / "context"
            results = context / "root" / "output"
            self._copy_to(results / self.run_id)
            (results / "latest").symlink_to(self.run_id)
            _normalize(context, epoch)
            dockerfile = Path(folder) / "Dockerfile"
            dockerfile.write_text(
                f"FROM {base}\n"
                "ARG SOURCE_DATE_EPOCH\n"
                "COPY --link . /\n"
                f'LABEL {labels.RUN_ID}="{self.run_id}" '
                f'{labels.RUN_ADAPTER_SHA256}="{self.adapter_sha256}" {labels.RUN_VERDICT}="{self.verdict}"\n',
                encoding="utf-8",
            )
            yield context, dockerfile

    def _copy_to(self, target: Path) -> None:
        """Raises ConfigError for anything but regular files (see `shareable_files`), and for another adapter's weights.

        The label promises the digest that run.json records, so the weights must have it.
        """
        for path in shareable_files(self.folder, *PARTS, self.adapter):
            if not any(path.match(pattern) for pattern in TRAINING_STATE):
                copy = target / path.relative_to(self.folder)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, copy, follow_symlinks=False)
        weights = target / self.adapter / WEIGHTS
        if self.adapter_sha256 and not (weights.is_file() and file_digest(weights) == f"sha256:{self.adapter_sha256}"):
            raise ConfigError(
                f"{self.folder / self.adapter / WEIGHTS} has changed since {self.run_id} was trained.",
                next="Restore it, or train again.",
            )


def _normalize(context: Path, epoch: int) -> None:
    """Sets modes and times that do not depend on this host. /root and /root/output stay writable for any uid."""
    for path in (*context.rglob("*"), context):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() else 0o644)
        os.utime(path, (epoch, epoch), follow_symlinks=False)
    for path in (context / "root", context / "root" / "output"):
        path.chmod(0o1777)


def run_layer(output: Path, run: str) -> RunLayer:
    """The layer of the run called `run`: see `find_run`. Raises ConfigError if it is missing or did not finish."""
    folder = find_run(output, run)
    adapter = read_finished_record(folder)["adapter"]
    sha256 = str(adapter.get("sha256", ""))
    # Both go into a Dockerfile, where a quote or a line break would start an instruction.
    if not LABEL_VALUE.fullmatch(folder.name) or not LABEL_VALUE.fullmatch(sha256 or "none"):
        raise ConfigError(
            f"{folder / RECORD} names the run {folder.name!r} and the sha256 {sha256[:80]!r}; one is not valid.",
            next=_list_runs(folder.parent),
        )
    name = Path(str(adapter["path"])).name
    if not (folder / name).is_dir():
        raise ConfigError(f"{folder / name} is missing: the adapter of {folder.name}.", next=_list_runs(folder.parent))
    return RunLayer(
        run_id=folder.name,
        folder=folder,
        adapter=name,
        adapter_sha256=sha256,
        verdict=_verdict(folder, sha256),
    )


def find_run(output: Path, run: str) -> Path:
    """The folder of the run called `run`: "latest", "v3", or its full name. Raises ConfigError."""
    exact = output / run
    matches = [exact] if exact.is_dir() else sorted(output.glob(f"{run}-*")) if run else []
    if len(matches) == 1:
        found = matches[0].resolve()
        if matches[0].is_symlink() and matches[0].parent.resolve() not in found.parents:
            raise ConfigError(
                f"{matches[0]} is a symbolic link that leads out of {output}.",
                next="Name the run by its own folder, or remove the link.",
            )
        return found
    raise ConfigError(f"No run called {run} in {output}.", next=_list_runs(output))


def _list_runs(output: Path) -> str:
    return f'List the runs with "{make_command("runs", output=output)}".'


def read_finished_record(folder: Path) -> dict[str, Any]:
    """The content of the run's run.json. Raises ConfigError if it cannot be read, or the run has no adapter."""
    path = folder / RECORD
    try:
        record = dict(json.loads(path.read_text(encoding="utf-8")))
        adapter = dict(record.get("adapter") or {})
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise ConfigError(f"Cannot read {path}: {first_line(error)}.", next=_list_runs(folder.parent)) from error
    if record.get("status") != "finished" or not adapter.get("path"):
        raise ConfigError(
            f"{folder.name} is {record.get('status')}, so it has no adapter to publish.",
            next=_list_runs(folder.parent),
        )
    return record


def _is_own(report: Mapping[str, Any], sha256: str) -> bool:
    """As `toolkit.runs.own_comparison` has it."""
    before, after = report.get("before"), report.get("after")
    if not isinstance(before, dict) or not isinstance(after, dict):
        return False
    of_base = before.get("kind") == "base" and before.get("adapter_sha256") is None
    return of_base and after.get("adapter_sha256") == sha256 and after.get("scale", 1) == 1


def _verdict(folder: Path, sha256: str) -> str:
    """Of the run's own comparison: its adapter at full strength with its base. Raises ConfigError."""
    report = read_report(folder / "compare" / "report.json")
    verdict = report.get("verdict") if _is_own(report, sha256) else None
    if not isinstance(verdict, dict) or "passed" not in verdict:
        return "not compared"
    return "passed" if verdict["passed"] is True else "failed"


def read_report(path: Path) -> dict[str, Any]:
    """The comparison report in `path`; empty if there is no readable one.

    Raises ConfigError for one that has another content than the one whose digest it records.
    """
    try:
        report = dict(json.loads(path.read_text(encoding="utf-8")))
        rest = {key: value for key, value in report.items() if key != CONTENT_DIGEST}
        text = json.dumps(rest, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
    except (OSError, ValueError, TypeError, RecursionError):
        return {}
    if CONTENT_DIGEST in report and content_digest(text) != f"sha256:{report[CONTENT_DIGEST]}":
        again = make_command("compare", output=path.parents[2], RUN=path.parents[1].name)
        raise ConfigError(
            f"{path} has changed since it was written.",
            next=f'Compare it again with "{again}".',
        )
    return report
