"""The door to ms-swift: the only package that knows it. Everything heavy is imported inside functions, late.

Training runs in this process through a subclass of ms-swift's own pipeline (4.6): the rows come from us, already
read and checked, and progress goes to a listener instead of the console.
"""

from collections.abc import Callable
from logging import CRITICAL, getLogger
from pathlib import Path

from toolkit.core.errors import DataError, first_line
from toolkit.core.events import Listener
from toolkit.core.read_ahead import prefetch_libraries
from toolkit.core.startup import prepare_environment, restore_gc
from toolkit.data.dataset import Row
from toolkit.data.formats import Message
from toolkit.model.device import start_cuda_context
from toolkit.model.shared_weights import SharedWeights
from toolkit.train.job import TrainingJob, TrainingResult
from toolkit.train.ms_swift.encoder import SwiftEncoder


def import_all() -> None:
    """Everything that encoding and training import, at once: their time is told as one."""
    prefetch_libraries()
    prepare_environment()
    start_cuda_context()
    import toolkit.train.ms_swift.pipeline  # noqa: F401

    restore_gc()


def train(
    job: TrainingJob, listener: Listener, stop_requested: Callable[[], bool], lent: SharedWeights | None = None
) -> TrainingResult:
    """Trains and saves the last step's checkpoint; on a stop request it saves after the step under way and ends.

    With `lent`, the base model comes from there; where it is not held yet it is loaded, and held from then on.
    """
    import_all()
    from transformers.utils import logging

    logging.disable_progress_bar()  # progress goes to the listener
    # Its faults are raised; what it prints beside them is noise. It turns its level back behind a first training.
    getLogger("swift").setLevel(CRITICAL)
    from toolkit.train.ms_swift.arguments import arguments
    from toolkit.train.ms_swift.pipeline import Pipeline

    pipeline = Pipeline(arguments(job), job, listener, stop_requested, lent)
    pipeline.main()
    result: TrainingResult = pipeline.result
    return result


def encoder(model_folder: Path, max_length_tokens: int) -> "SwiftEncoder":
    """The encoder that training uses, without loading the weights."""
    return SwiftEncoder(model_folder, max_length_tokens)


def load_hub_rows(spec: str, *, seed: int) -> list[Row]:
    """Rows of a hub data set in ms-swift's syntax (`owner/name#count`); needs a network. Raises DataError."""
    prepare_environment(online=True)
    from swift.dataset import load_dataset

    try:
        data, _ = load_dataset([spec], num_proc=1, seed=seed, strict=False)
    except Exception as error:
        raise DataError(
            f"The hub data set {spec} cannot be loaded: {type(error).__name__}: {first_line(error)}.",
            next="Check the name and the network; a local file mixes the same way: --mix file.jsonl#200.",
        ) from error
    return [
        Row(number=number, messages=tuple(Message(role=m["role"], content=m["content"]) for m in one["messages"]))
        for number, one in enumerate(data, start=1)
    ]
