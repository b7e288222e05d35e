"""Trains: one call from the use case into ms-swift, and back with values."""

from collections.abc import Callable
from logging import CRITICAL, getLogger

from toolkit.collector import imports_are_done
from toolkit.device import wake_card
from toolkit.progress import Listener
from toolkit.read_ahead import read_libraries_ahead
from toolkit.swift.environment import prepare_environment
from toolkit.swift.job import TrainingJob, TrainingResult
from toolkit.swift.lent_base import LentBase


def import_all() -> None:
    """Everything that encoding and training import, at once: their time is told as one."""
    read_libraries_ahead()
    prepare_environment()
    wake_card()
    import toolkit.swift.pipeline  # noqa: F401

    imports_are_done()


def train(
    job: TrainingJob, listener: Listener, stop_requested: Callable[[], bool], lent: LentBase | None = None
) -> TrainingResult:
    """Trains and saves the last step's checkpoint; on a stop request it saves after the step under way and ends.

    With `lent`, the base model comes from there; where it is not held yet it is loaded, and held from then on.
    """
    import_all()
    from transformers.utils import logging

    logging.disable_progress_bar()  # progress goes to the listener
    # Its faults are raised; what it prints beside them is noise. It turns its level back behind a first training.
    getLogger("swift").setLevel(CRITICAL)
    from toolkit.swift.pipeline import Pipeline, arguments

    pipeline = Pipeline(arguments(job), job, listener, stop_requested, lent)
    pipeline.main()
    result: TrainingResult = pipeline.result
    return result
