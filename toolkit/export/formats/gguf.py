"""One GGUF file for llama.cpp and what stands on it; llama.cpp itself answers the gate's probes."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from toolkit.compare.sides import Side
from toolkit.core.errors import ConfigError
from toolkit.export.companions import LICENCE_FILES, carry, write_change_notice
from toolkit.export.formats.base import Backends, Gate, Job
from toolkit.export.gguf_file import Origin, require_writable, write_gguf
from toolkit.export.parity import TOLERANCES, ArtifactParity, Unchecked, judge_parity, judge_quantised
from toolkit.model.conversation import MAX_NEW_TOKENS
from toolkit.model.language_model import Answer, LanguageModel, freeing

QUANTISATIONS = ("f16", "q8_0", "q4_k_m")
BY_LLAMA = {"q4_k_m"}  # llama.cpp's own quantiser makes these, out of an f16 file
BITS = {"f16": 16, "q8_0": 8.5, "q4_k_m": 6.6}  # a weight, at most: q4_k_m falls back to q8_0 and q5_0 for odd widths
K_BLOCK = 256  # numbers that a K-quant packs at a time


class Gguf:
    name = "gguf"

    def __init__(self, quantisation: str | None = None, *, unchecked: bool = False) -> None:
        self.quantisation = quantisation or "f16"
        self.unchecked = unchecked

    @property
    def title(self) -> str:
        return f"GGUF model ({self.quantisation})"

    @property
    def folder(self) -> str:
        return f"gguf-{self.quantisation}"

    @property
    def options(self) -> Mapping[str, Any]:
        return {"quantisation": self.quantisation}

    def require(self, side: Side, backends: Backends) -> tuple[str, ...]:
        installed = backends.llama.version() is not None
        if not installed and self.quantisation in BY_LLAMA:
            raise ConfigError(
                f"{self.quantisation} is made by llama.cpp, and llama-cpp-python is not installed.",
                next='Install it ("make setup-formats", or pip), or take --quantisation q8_0.',
            )
        if not installed and not self.unchecked:
            raise ConfigError(
                "llama-cpp-python, which answers the gate's probes from the GGUF file, is not installed.",
                next='Install it ("make setup-formats", or pip), or give --unchecked: the manifest then says so.',
            )
        require_writable(side.model.path, side.model.config, _written(self.quantisation))
        return _notes(self.quantisation, side.model.config)

    def bytes_needed(self, side: Side) -> int:
        parameters = side.model.weight_bytes / (4 if "32" in str(side.model.config.get("dtype")) else 2)
        bits = BITS[self.quantisation] + (BITS["f16"] if self.quantisation in BY_LLAMA else 0)
        return int(parameters * bits / 8)

    def write(self, folder: Path, job: Job) -> Gate:
        path = folder / file_name(job.side, self.quantisation)
        with freeing(job.backends.load(job.side.model.path, {job.key: job.adapter})) as model:
            expected, read, precision = self._expected(model, job)
            self.write_companions(path, model, job)  # first: it is quick, and may refuse
            model.merge(job.key, dtype=precision)
            self._write_file(path, model, job)
        carry(folder, job.side, LICENCE_FILES)
        write_change_notice(folder, job.side, f"They were stored as GGUF, {self.quantisation.upper()}.")
        if self.unchecked:
            return Unchecked()
        return self._ask(path, job, expected, read, precision)

    def write_companions(self, file: Path, model: LanguageModel, job: Job) -> None:
        """Nothing: llama.cpp needs no more than the file."""

    def _expected(self, model: LanguageModel, job: Job) -> tuple[list[Answer], list[list[int]], str]:
        """The adapter's answers, the prompts' tokens, and the type that both were computed in."""
        if self.unchecked:
            return [], [], model.precision
        with model.side(job.key):
            expected = job.answers(model, "With adapter")
        return expected, [model.prompt_ids(messages) for messages in job.conversations], model.precision

    def _write_file(self, path: Path, model: LanguageModel, job: Job) -> None:
        side, written = job.side, _written(self.quantisation)
        whole = path.with_suffix(".whole") if self.quantisation in BY_LLAMA else path
        origin = Origin(
            name=path.stem, finetune=side.name, base_name=side.model.name, base_repository=side.model.repository
        )  # fmt: skip
        write_gguf(whole, side.model.path, side.model.config, model.tensors(), origin, written)
        if whole != path:
            job.backends.llama.quantise(whole, path, self.quantisation)
            whole.unlink()

    def _ask(
        self, path: Path, job: Job, expected: list[Answer], read: list[list[int]], precision: str
    ) -> ArtifactParity:  # fmt: skip
        llama = job.backends.llama.load(path)
        try:
            ids = [llama.prompt_ids(messages) for messages in job.conversations]
            answered = llama.answers(
                job.conversations, max_new_tokens=MAX_NEW_TOKENS, listener=job.listener, task="GGUF"
            )  # fmt: skip
        finally:
            llama.close()
        misread = tuple(prompt for prompt, one, other in zip(job.prompts, read, ids, strict=True) if one != other)
        # Whichever rounds more: the type that the adapter computed in, or the one that the file stores.
        rounding = precision if precision == "bfloat16" else "float16"
        return ArtifactParity(
            by=f"llama-cpp-python {job.backends.llama.version()}",
            misread=misread,
            answers=judge_parity(job.prompts, expected, answered, rounding)
            if self.quantisation == "f16"
            else judge_quantised(job.probes, expected, answered, TOLERANCES[self.quantisation]),
        )


def file_name(side: Side, quantisation: str) -> str:
    """As others name theirs: `<base>-<run>-Q8_0.gguf`."""
    base = re.sub(r"[^A-Za-z0-9._-]+", "-", side.model.name)
    return f"{base}-{side.name}-{quantisation.upper()}.gguf"


def _written(quantisation: str) -> str:
    """The type of the file that is written from here."""
    return "f16" if quantisation in BY_LLAMA else quantisation


def _notes(quantisation: str, config: Mapping[str, Any]) -> tuple[str, ...]:
    odd = [f"{size} {config[size]}" for size in ("hidden_size", "intermediate_size") if config[size] % K_BLOCK]
    if quantisation not in BY_LLAMA or not odd:
        return ()
    note = (
        f"{quantisation} packs {K_BLOCK} numbers at a time, and {' and '.join(odd)} is no multiple of it: "
        "llama.cpp stores those weights as q5_0 and q8_0, and the file is larger than the name says."
    )
    return (note,)
