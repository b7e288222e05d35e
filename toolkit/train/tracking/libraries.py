"""The trackers' own libraries, one class each: the only module that imports them.

Offline unless their own variables say otherwise. A tracker's files are in the run's folder, and it takes up its run
again by the id that run.json records.
"""

import logging
import sys
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, Protocol

from toolkit.core import environment

PROJECT = "finetune-and-prove"


class Library(Protocol):
    """`id`: the library's name for the run; `where`: the folder, file or address with the curves."""

    id: str
    where: str

    def log(self, values: Mapping[str, float], step: int) -> None: ...
    def close(self, *, failed: bool) -> None: ...


class TensorBoard:
    def __init__(self, folder: Path, run_id: str, _known: str | None, _settings: Mapping[str, Any]) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self.id, self.where = run_id, str(folder)
        self._writer: Any = SummaryWriter(str(folder))

    def log(self, values: Mapping[str, float], step: int) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def close(self, *, failed: bool) -> None:  # noqa: ARG002  # it knows no failed runs
        self._writer.close()


class WeightsAndBiases:
    def __init__(self, folder: Path, run_id: str, known: str | None, settings: Mapping[str, Any]) -> None:
        import wandb

        folder.mkdir(parents=True, exist_ok=True)
        self._run = wandb.init(
            project=environment.tracker_setting("WANDB_PROJECT", PROJECT), name=run_id, id=known, resume="allow",
            dir=str(folder), mode=environment.tracker_setting("WANDB_MODE", "offline"), config=dict(settings),
            settings=wandb.Settings(silent=True, console="off"),
        )  # fmt: skip
        self.id, self.where = str(self._run.id), self._run.url or str(folder)

    def log(self, values: Mapping[str, float], step: int) -> None:
        self._run.log(dict(values), step=step)

    def close(self, *, failed: bool) -> None:
        self._run.finish(exit_code=int(failed))


class SwanLab:
    def __init__(self, folder: Path, run_id: str, known: str | None, settings: Mapping[str, Any]) -> None:
        import swanlab

        mode = environment.tracker_setting("SWANLAB_MODE", "offline")
        with redirect_stdout(sys.stderr):  # stdout is for the answer
            self._run = swanlab.init(
                project=environment.tracker_setting("SWANLAB_PROJ_NAME", PROJECT), name=run_id, id=known,
                resume="allow" if known else None, log_dir=str(folder), mode=mode, config=dict(settings),
            )  # fmt: skip
        self.id, self.where = str(self._run.id), str(self._run.url if mode == "online" else folder)

    def log(self, values: Mapping[str, float], step: int) -> None:
        self._run.log(dict(values), step=step)

    def close(self, *, failed: bool) -> None:
        with redirect_stdout(sys.stderr):
            self._run.finish("crashed" if failed else "success")


class MLflow:
    def __init__(self, folder: Path, run_id: str, known: str | None, settings: Mapping[str, Any]) -> None:
        environment.quiet_mlflow()
        import mlflow

        for name in ("mlflow", "alembic"):
            logging.getLogger(name).setLevel(logging.ERROR)
        folder.mkdir(parents=True, exist_ok=True)
        self.where = environment.tracker_setting("MLFLOW_TRACKING_URI", f"sqlite:///{folder.absolute()}/mlflow.db")
        mlflow.set_tracking_uri(self.where)
        mlflow.set_experiment(environment.tracker_setting("MLFLOW_EXPERIMENT_NAME", PROJECT))
        self._client: Any = mlflow
        self.id = str(mlflow.start_run(run_id=known, run_name=None if known else run_id).info.run_id)
        if known is None:
            mlflow.log_params({name: str(value)[:500] for name, value in settings.items()})

    def log(self, values: Mapping[str, float], step: int) -> None:
        self._client.log_metrics(dict(values), step=step)

    def close(self, *, failed: bool) -> None:
        self._client.end_run("FAILED" if failed else "FINISHED")


LIBRARIES: dict[str, Callable[[Path, str, str | None, Mapping[str, Any]], Library]] = {
    "tensorboard": TensorBoard,
    "swanlab": SwanLab,
    "wandb": WeightsAndBiases,
    "mlflow": MLflow,
}
