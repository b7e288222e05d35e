"""The adapter merged into the base model's weights: a folder of safetensors, laid out like the base model's."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from toolkit.compare.sides import Side
from toolkit.export.companions import LICENCE_FILES, TOKENIZER_FILES, copy_companions, write_change_notice
from toolkit.export.formats.base import Backends, ExportJob
from toolkit.export.parity import Parity, judge_parity
from toolkit.model.decoding.answer_end import write_end_tokens
from toolkit.model.language_model import freeing


class MergedModel:
    name = "merged"
    title = "merged model"
    folder = "merged"
    options: Mapping[str, Any] = {}

    def require(self, side: Side, backends: Backends) -> tuple[str, ...]:  # noqa: ARG002  # any run can be merged
        return ()

    def bytes_needed(self, side: Side) -> int:
        return side.model.weight_bytes

    def write(self, folder: Path, job: ExportJob) -> Parity:
        dtype = stored_dtype(job.side.model.config)
        with freeing(job.backends.load(job.side.model.path, {job.key: job.adapter})) as model, model.side(job.key):
            expected = job.answers(model, "With adapter")
            model.save_merged(job.key, folder, dtype=dtype)
        copy_companions(folder, job.side, (*TOKENIZER_FILES, *LICENCE_FILES))
        write_end_tokens(folder, model.end_tokens)
        write_change_notice(folder, job.side)
        with freeing(job.backends.load(folder, {})) as merged:
            answered = job.answers(merged, "Merged")
        return judge_parity(job.prompts, expected, answered, dtype)


def stored_dtype(config: Mapping[str, Any]) -> str:
    """The type in which the base model's files store weights, by config.json; float32 where it has none."""
    return str(config.get("dtype") or config.get("torch_dtype") or "float32").removeprefix("torch.")
