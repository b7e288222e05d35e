"""A finished run as one small layer: its adapter, its record, its report."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from image.core import labels
from image.core.errors import ConfigError

PARTS = ("run.json", "logging.jsonl", "compare")
# What a training goes on from, not what a model is used with; they are most of a checkpoint's bytes.
NOT_OF_THE_ADAPTER = ("optimizer.pt", "scheduler.pt", "rng_state*.pth", "scaler.pt")


@dataclass(frozen=True, kw_only=True)
class RunLayer:
    run_id: str
    folder: Path
    adapter: str  # relative to the run's folder
    adapter_sha256: str
    verdict: str  # "passed", "failed", or "not compared"

    @contextmanager
    def context(self, base: str, epoch: int) -> Iterator[tuple[Path, Path]]:
        """A build context laid out from the root, every time in it `epoch`; and its Dockerfile."""
        with tempfile.TemporaryDirectory(prefix="run-layer-") as made:
            context = Path(made) / "context"
            results = context / "root" / "output"
            self._fill(results / self.run_id)
            (results / "latest").symlink_to(self.run_id)
            _settle(context, epoch)
            dockerfile = Path(made) / "Dockerfile"
            dockerfile.write_text(
                f"FROM {base}\n"
                "ARG SOURCE_DATE_EPOCH\n"
                "COPY --link . /\n"
                f'LABEL {labels.RUN_ID}="{self.run_id}" '
                f'{labels.RUN_ADAPTER_SHA256}="{self.adapter_sha256}" {labels.RUN_VERDICT}="{self.verdict}"\n',
                encoding="utf-8",
            )
            yield context, dockerfile

    def _fill(self, target: Path) -> None:
        target.mkdir(parents=True)
        for name in PARTS:
            path = self.folder / name
            if path.is_dir():
                shutil.copytree(path, target / name)
            elif path.is_file():
                shutil.copyfile(path, target / name)
        kept = shutil.ignore_patterns(*NOT_OF_THE_ADAPTER)
        shutil.copytree(self.folder / self.adapter, target / self.adapter, ignore=kept)


def _settle(context: Path, epoch: int) -> None:
    """Modes and times that do not depend on this host. /root and /root/output stay any uid's to write to."""
    for path in (*context.rglob("*"), context):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() else 0o644)
        os.utime(path, (epoch, epoch), follow_symlinks=False)
    for path in (context / "root", context / "root" / "output"):
        path.chmod(0o1777)


def run_layer(output: Path, run: str) -> RunLayer:
    """The run called `run`: "latest", "v3", or its whole name. Raises ConfigError where it is absent or unfinished."""
    folder = find_run(output, run)
    try:
        record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{folder} is no run: its run.json cannot be read.", next="List them: make runs.") from error
    adapter = record.get("adapter") or {}
    if record.get("status") != "finished" or not adapter.get("path"):
        raise ConfigError(
            f"{folder.name} is {record.get('status')}, so it has no adapter to publish.", next="See make runs."
        )
    return RunLayer(
        run_id=folder.name,
        folder=folder,
        adapter=Path(adapter["path"]).name,
        adapter_sha256=str(adapter.get("sha256", "")),
        verdict=_verdict(folder),
    )


def find_run(output: Path, run: str) -> Path:
    """The folder of the run called so. Raises ConfigError."""
    exact = output / run
    if exact.is_dir():
        return exact.resolve()
    found = sorted(output.glob(f"{run}-*")) if run else []
    if len(found) == 1:
        return found[0]
    raise ConfigError(f"No run in {output} is called {run}.", next="List them: make runs.")


def _verdict(folder: Path) -> str:
    try:
        report = json.loads((folder / "compare" / "report.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return "not compared"
    return "passed" if report["verdict"]["passed"] else "failed"
