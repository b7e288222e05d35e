"""The adapter merged into the base model's weights: a folder of safetensors, as the base's own is."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from toolkit.compare.sides import Side
from toolkit.export.companions import LICENCE_FILES, TOKENIZER_FILES, carry, write_change_notice
from toolkit.export.formats.base import Backends, Job
from toolkit.export.parity import Parity, judge_parity
from toolkit.model.language_model import freeing


class Merged:
    name = "merged"
    title = "merged model"
    folder = "merged"
    options: Mapping[str, Any] = {}

    def require(self, side: Side, backends: Backends) -> tuple[str, ...]:  # noqa: ARG002  # any run can be merged
        return ()

    def bytes_needed(self, side: Side) -> int:
        return side.model.weight_bytes

    def write(self, folder: Path, job: Job) -> Parity:
        dtype = stored_dtype(job.side.model.config)
        with freeing(job.backends.load(job.side.model.path, {job.key: job.adapter})) as model, model.side(job.key):
            expected = job.answers(model, "With adapter")
            model.save_merged(job.key, folder, dtype=dtype)
        carry(folder, job.side, (*TOKENIZER_FILES, *LICENCE_FILES))
        write_change_notice(folder, job.side)
        with freeing(job.backends.load(folder, {})) as merged:
            answered = job.answers(merged, "Merged")
        return judge_parity(job.prompts, expected, answered, dtype)


def stored_dtype(config: Mapping[str, Any]) -> str:
    """The type that the base model's files hold, as config.json says it."""
    return str(config.get("dtype") or config.get("torch_dtype") or "float32").removeprefix("torch.")
