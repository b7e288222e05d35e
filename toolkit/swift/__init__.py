"""The door to ms-swift: the only package that knows it. Everything heavy is imported inside functions, late.

Training runs in this process through a subclass of ms-swift's own pipeline (4.6): the rows come from us, already
read and checked, and progress goes to a listener instead of the console.
"""

from toolkit.swift.deploying import deployed
from toolkit.swift.job import (
    EPOCHS,
    INTERRUPTED,
    LOG_FILE,
    TOOK,
    TRAINING,
    KeepJob,
    ServeJob,
    TrainingJob,
    TrainingResult,
)
from toolkit.swift.lent_base import LentBase
from toolkit.swift.quantising import QuantisingJob, lacking, quantise
from toolkit.swift.rows import SwiftEncoder, encoder, load_hub_rows
from toolkit.swift.training import import_all, train

__all__ = [
    "EPOCHS", "INTERRUPTED", "LOG_FILE", "TOOK", "TRAINING", "KeepJob", "LentBase", "QuantisingJob", "ServeJob",
    "SwiftEncoder", "TrainingJob", "TrainingResult",
    "deployed", "encoder", "import_all", "lacking", "load_hub_rows", "quantise", "train",
]  # fmt: skip
