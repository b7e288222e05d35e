"""Weights in fewer bits for transformers and vLLM, by ms-swift's own export: bnb, fp8, awq, gptq."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from toolkit.compare.sides import Side
from toolkit.core.errors import ConfigError, ExportError
from toolkit.export.companions import LICENCE_FILES, TOKENIZER_FILES, carry, write_change_notice
from toolkit.export.formats.base import Backends, Job
from toolkit.export.formats.merged import stored_dtype
from toolkit.export.ms_swift import QuantisingJob
from toolkit.export.parity import TOLERANCES, ArtifactParity, judge_quantised
from toolkit.model.language_model import freeing

BITS: Mapping[str, Mapping[str, int | None]] = {
    "bnb": {"nf4": 4, "int8": 8},
    "fp8": {"fp8": None},
    "awq": {"int4": 4},
    "gptq": {"int4": 4, "int8": 8},
}  # method: the kinds of it, the default first, and the bits that ms-swift is told
CALIBRATED = {"awq", "gptq"}
MERGED = "merged"  # beside the target while it is made
PRIVATE = "args.json"  # ms-swift's: nothing but this machine's paths


class Quantised:
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

    def require(self, side: Side, backends: Backends) -> tuple[str, ...]:  # noqa: ARG002  # any run, the machine permitting
        if gaps := backends.quantiser.lacking(self.name):
            raise ConfigError(
                f"--to {self.name} needs {' and '.join(gaps)}.",
                next='"make setup-four-bits" brings bitsandbytes; --to gguf needs no card.',
            )
        return ()

    def bytes_needed(self, side: Side) -> int:
        return 2 * side.model.weight_bytes  # the merged weights, and at most as much again

    def write(self, folder: Path, job: Job) -> ArtifactParity:
        merged = folder / MERGED
        with freeing(job.backends.load(job.side.model.path, {job.key: job.adapter})) as model, model.side(job.key):
            expected = job.answers(model, "With adapter")
            read = [model.prompt_ids(messages) for messages in job.conversations]
            model.save_merged(job.key, merged, dtype=stored_dtype(job.side.model.config))
        carry(merged, job.side, TOKENIZER_FILES)
        self._quantise(merged, folder, job)
        carry(folder, job.side, (*TOKENIZER_FILES, *LICENCE_FILES))
        write_change_notice(folder, job.side, f"They were quantised with {self.name}, {self.quantisation}.")
        with freeing(job.backends.load(folder, {})) as model:
            ids = [model.prompt_ids(messages) for messages in job.conversations]
            answered = job.answers(model, "Quantised")
        return ArtifactParity(
            by="transformers",
            misread=tuple(prompt for prompt, one, other in zip(job.prompts, read, ids, strict=True) if one != other),
            answers=judge_quantised(job.probes, expected, answered, TOLERANCES[self.quantisation]),
        )

    def _quantise(self, merged: Path, folder: Path, job: Job) -> None:
        """The merged folder is gone afterwards. Raises ExportError for what ms-swift or its libraries stumble over."""
        made = folder / "quantised"
        rows = job.run.folder / "train.jsonl"
        task = QuantisingJob(
            model=merged, target=made, method=self.name, bits=BITS[self.name][self.quantisation],
            calibration=rows if self.name in CALIBRATED else None,
        )  # fmt: skip
        try:
            job.backends.quantiser.quantise(task)
        except OSError:
            raise
        except Exception as error:
            raise ExportError(
                f"ms-swift could not quantise with {self.name}: {type(error).__name__}: {error}.",
                next="--debug shows where; --to gguf needs no card.",
            ) from error
        shutil.rmtree(merged)
        for path in made.iterdir():
            if path.name != PRIVATE:
                path.rename(folder / path.name)
        shutil.rmtree(made)
