"""Whether a run fits on the disk."""

import os
import shutil
from pathlib import Path

from toolkit.base_model import BaseModel
from toolkit.errors import ConfigError
from toolkit.model_sizes import lora_parameters
from toolkit.recipe import Recipe

BYTES_A_PARAMETER = 4 + 8  # a checkpoint: the adapter in float32, and Adam's two moments
KEPT_CHECKPOINTS = 2
DISK_MARGIN_BYTES = 64_000_000


def require_disk(output: Path, base: BaseModel, recipe: Recipe) -> None:
    """Better now than in the last step. Raises ConfigError."""
    needed = lora_parameters(base.config, recipe.lora_rank) * BYTES_A_PARAMETER * KEPT_CHECKPOINTS + DISK_MARGIN_BYTES
    place = output.absolute()
    while not os.path.exists(place):  # noqa: PTH110  # Path.exists raises where a folder above may not be looked into
        place = place.parent
    free = shutil.disk_usage(place).free
    if free < needed:
        raise ConfigError(
            f"{place} has {free / 1e6:.0f} MB free, a run needs {needed / 1e6:.0f} MB.",
            next="Free some space, or name another folder with --output.",
        )
