"""Weights in fewer bits for transformers and vLLM, quantised by ms-swift's own export: bnb."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from toolkit.compare.sides import Side
from toolkit.core.errors import ConfigError, ExportError
from toolkit.export.companions import LICENCE_FILES, TOKENIZER_FILES, copy_companions, write_change_notice
from toolkit.export.formats.base import Backends, ExportJob
from toolkit.export.formats.merged import stored_dtype
from toolkit.export.ms_swift import QuantisationJob
from toolkit.export.parity import TOLERANCES, ArtifactParity, judge_quantised, misread_prompts
from toolkit.model.decoding.answer_end import write_end_tokens
from toolkit.model.language_model import freeing

# method: its kinds, the default first, with the number of bits for ms-swift
BITS: Mapping[str, Mapping[str, int]] = {
    "bnb": {"nf4": 4, "int8": 8},
}
MERGED, QUANTISED = "merged", "quantised"  # folders within the partial one
PRIVATE = "args.json"  # ms-swift writes its arguments: nothing but paths of this machine


class QuantisedModel:
    def __init__(self, name: str, quantisation: str | None = None) -> None:
        self.name = name
        self.quantisation = quantisation or next(iter(BITS[name]))

    @property
    def title(self) -> str:
        return f"quantised model ({self.name}, {self.quantisation})"

    @property
    def folder(self) -> str:
        return self.name if self.name == self.quantisation else f"{self.name}-{self.quantisation}"

    @property
    def options(self) -> Mapping[str, Any]:
        return {"quantisation": self.quantisation}

    def require(self, side: Side, backends: Backends) -> tuple[str, ...]:  # noqa: ARG002  # any run can be quantised
        if missing := backends.quantiser.missing_requirements(self.name):
            raise ConfigError(
                f"--to {self.name} needs {' and '.join(missing)}.",
                next='"make setup" again installs bitsandbytes for --to bnb; --to gguf needs no card.',
            )
        return ()

    def bytes_needed(self, side: Side) -> int:
        return 2 * side.model.weight_bytes  # the merged weights, and at most as much again

    def write(self, folder: Path, job: ExportJob) -> ArtifactParity:
        merged = folder / MERGED
        with freeing(job.backends.load(job.side.model.path, {job.key: job.adapter})) as model, model.side(job.key):
            expected = job.answers(model, "With adapter")
            trained_ids, ends = job.prompt_ids(model), model.end_tokens
            model.save_merged(job.key, merged, dtype=stored_dtype(job.side.model.config))
        copy_companions(merged, job.side, TOKENIZER_FILES)
        self._quantise(merged, folder, job)
        copy_companions(folder, job.side, (*TOKENIZER_FILES, *LICENCE_FILES))
        write_end_tokens(folder, ends)
        write_change_notice(folder, job.side, f"They were quantised with {self.name}, {self.quantisation}.")
        with freeing(job.backends.load(folder, {})) as model:
            ids = job.prompt_ids(model)
            answered = job.answers(model, "Quantised")
        return ArtifactParity(
            by="transformers",
            misread=misread_prompts(job.prompts, trained_ids, ids),
            answers=judge_quantised(job.probes, expected, answered, TOLERANCES[self.quantisation]),
        )

    def _quantise(self, merged: Path, folder: Path, job: ExportJob) -> None:
        """Replaces the merged folder by the quantised files. Raises ExportError for what ms-swift raises."""
        made = folder / QUANTISED
        task = QuantisationJob(model=merged, target=made, method=self.name, bits=BITS[self.name][self.quantisation])
        try:
            job.backends.quantiser.quantise(task)
        except OSError:
            raise
        except Exception as error:
            raise ExportError(
                f"ms-swift could not quantise with {self.name}: {type(error).__name__}: {str(error).rstrip('.')}.",
                next="--debug shows where; --to gguf needs no card.",
            ) from error
        shutil.rmtree(merged)
        for path in made.iterdir():
            if path.name != PRIVATE:
                path.rename(folder / path.name)
        shutil.rmtree(made)
