"""Training through ms-swift (4.6). Heavy imports happen inside functions, late.

Training runs in this process, in a subclass of ms-swift's own pipeline: the rows come from us, read, checked and
encoded, and progress goes to a listener instead of the console.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from logging import CRITICAL, getLogger
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.core.errors import DataError, first_line
from toolkit.core.events import Listener
from toolkit.core.read_ahead import prefetch_libraries
from toolkit.core.startup import prepare_environment, restore_gc
from toolkit.model.device import peak_memory_bytes, start_cuda_context
from toolkit.model.loading import hide_scipy
from toolkit.train.job import TrainingJob, TrainingResult
from toolkit.train.ms_swift.encoder import SwiftEncoder, distrust_models
from toolkit.train.ms_swift.shared_weights import SharedWeights

if TYPE_CHECKING:
    from toolkit.model.cards.group import Group


def import_all() -> None:
    """Imports everything that encoding and training need, so that it can be timed as one step."""
    prefetch_libraries()
    prepare_environment()
    start_cuda_context()
    hide_scipy()
    import toolkit.train.ms_swift.pipeline  # noqa: F401

    restore_gc()


def import_encoder() -> None:
    """Imports what encoding needs, without touching a card: for a process that leaves the training to others."""
    prefetch_libraries()
    prepare_environment()
    import swift.model
    import swift.template  # noqa: F401

    restore_gc()


def train(
    job: TrainingJob, listener: Listener, stop_requested: Callable[[], bool], shared: SharedWeights | None = None,
    group: "Group | None" = None,
) -> TrainingResult:  # fmt: skip
    """Trains and saves the last step's checkpoint; on a stop request it finishes the current step, saves and ends.

    With `shared`, the base model is cloned from there; if it is missing, it is loaded and added. With `group`, this
    is one of several processes, each of which calls this with the same job and its own folder, of which only the
    first's is kept; `stop_requested` has to answer the same in all of them. Raises TrainingError.
    """
    import_all()
    from transformers.utils import logging

    logging.disable_progress_bar()  # progress goes to the listener
    # ms-swift raises its errors; what it logs besides is noise. It resets its level after a first training.
    getLogger("swift").setLevel(CRITICAL)
    from toolkit.model.cards.group import ALONE
    from toolkit.train.ms_swift.arguments import arguments
    from toolkit.train.ms_swift.pipeline import Pipeline

    distrust_models()
    pipeline = Pipeline(arguments(job), job, listener, stop_requested, shared, group or ALONE)
    pipeline.main()
    result: TrainingResult = pipeline.result
    return replace(result, peak_memory_bytes=peak_memory_bytes())


def encoder(model_folder: Path, max_length_tokens: int) -> "SwiftEncoder":
    """Encodes as training does, without loading the weights."""
    return SwiftEncoder(model_folder, max_length_tokens)


def hub_records(name: str) -> Iterable[Mapping[str, Any]]:
    """The rows of a hub data set, each with its `messages`, without those that ms-swift cannot read. Raises DataError.

    `name`: `owner/name` or `owner/name:subset`, after `HF::` for Hugging Face. Needs a network.
    """
    prepare_environment(online=True)
    from swift.dataset import load_dataset

    try:
        data, _ = load_dataset([name], num_proc=1, seed=0, strict=False)
    except Exception as error:
        raise DataError(
            f"The hub data set {name} cannot be loaded: {type(error).__name__}: {first_line(error)}.",
            next="Check the name and the network; HF::owner/name is Hugging Face's, owner/name ModelScope's.",
        ) from error
    records: Iterable[Mapping[str, Any]] = data
    return records
