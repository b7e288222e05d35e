"""One GGUF file, for llama.cpp and the programs that use it; llama.cpp itself answers the gate's probes."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from toolkit.compare.sides import Side
from toolkit.core import environment
from toolkit.core.errors import ConfigError
from toolkit.export.companions import LICENCE_FILES, copy_companions, write_change_notice
from toolkit.export.formats.base import Backends, ExportJob
from toolkit.export.gguf_file import Origin, ignored_window, require_writable, write_gguf
from toolkit.export.parity import (
    TOLERANCES,
    ArtifactParity,
    GateResult,
    Unchecked,
    judge_parity,
    judge_quantised,
    misread_prompts,
)
from toolkit.model.conversation import MAX_NEW_TOKENS
from toolkit.model.decoding.answer_end import template_begins
from toolkit.model.language_model import Answer, LanguageModel, freeing

QUANTISATIONS = ("f16", "q8_0", "q4_k_m")
BY_LLAMA = {"q4_k_m"}  # llama.cpp's own quantiser makes these from an f16 file
BITS = {"f16": 16, "q8_0": 8.5, "q4_k_m": 6.6}  # a weight, at most: q4_k_m falls back to q8_0 and q5_0 for odd widths
INSTALL = 'Install it ("make setup-formats", or pip)'
ON_HOST = 'Export on the host ("make setup-formats", then "make export RUNTIME=local")'
K_BLOCK = 256  # weights in a block of a K-quant


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
                f"{self.quantisation} needs llama.cpp's quantiser, and llama-cpp-python is not installed.",
                next=f"{ON_HOST if environment.image() else INSTALL}, or use --quantization q8_0.",
            )
        if not installed and not self.unchecked:
            raise ConfigError(
                "The parity gate needs llama-cpp-python to run the GGUF file, and it is not installed.",
                next=f"{ON_HOST if environment.image() else INSTALL}, or give --unchecked: the manifest records that.",
            )
        kind = _stored_type(self.quantisation)
        require_writable(side.model.config, kind)
        backends.llama.require_convertible(side.model.path, kind)
        return _notes(self.quantisation, side.model.config)

    def bytes_needed(self, side: Side) -> int:
        parameters = side.model.weight_bytes / (4 if "32" in str(side.model.config.get("dtype")) else 2)
        bits = BITS[self.quantisation] + (BITS["f16"] if self.quantisation in BY_LLAMA else 0)
        return int(parameters * bits / 8)

    def write(self, folder: Path, job: ExportJob) -> GateResult:
        path = folder / file_name(job.side, self.quantisation)
        with freeing(job.backends.load(job.side.model.path, {job.key: job.adapter})) as model:
            expected, trained_ids, precision = self._expected(model, job)
            self.write_companions(path, model, job)  # first: it is quick, and may raise
            model.merge(job.key, dtype=precision)
            self._write_file(path, model, job)
        copy_companions(folder, job.side, LICENCE_FILES)
        write_change_notice(folder, job.side, f"They were stored as GGUF, {self.quantisation.upper()}.")
        if self.unchecked:
            return Unchecked()
        return self._compare(path, job, expected, trained_ids, precision)

    def write_companions(self, file: Path, model: LanguageModel, job: ExportJob) -> None:
        """Writes what a program needs beside the file; nothing for llama.cpp."""

    def _expected(self, model: LanguageModel, job: ExportJob) -> tuple[list[Answer], list[list[int]], str]:
        """The adapter's answers, the prompts' token ids, and the type in which the answers were computed."""
        if self.unchecked:
            return [], [], model.precision
        with model.side(job.key):
            expected = job.answers(model, "With adapter")
        return expected, job.prompt_ids(model), model.precision

    def _write_file(self, path: Path, model: LanguageModel, job: ExportJob) -> None:
        side = job.side
        source = path.with_suffix(".f16") if self.quantisation in BY_LLAMA else path
        origin = Origin(
            name=path.stem, finetune=side.name, base_name=side.model.name, base_repository=side.model.repository
        )  # fmt: skip
        kind = _stored_type(self.quantisation)
        write_gguf(
            source, side.model.path, side.model.config, model.tensors(), origin, kind,
            begins=template_begins(model.tokenizer), end=model.template_end,
        )  # fmt: skip
        if source != path:
            job.backends.llama.quantise(source, path, self.quantisation)
            source.unlink()

    def _compare(
        self, path: Path, job: ExportJob, expected: list[Answer], trained_ids: list[list[int]], precision: str
    ) -> ArtifactParity:  # fmt: skip
        llama = job.backends.llama.load(path)
        try:
            ids = job.prompt_ids(llama)
            answered = llama.answers(
                job.conversations, max_new_tokens=MAX_NEW_TOKENS, listener=job.listener, task="GGUF"
            )  # fmt: skip
        finally:
            llama.close()
        # Whichever rounds more: the type in which the adapter computed, or the one that the file stores.
        rounding = precision if precision == "bfloat16" else "float16"
        return ArtifactParity(
            by=f"llama-cpp-python {job.backends.llama.version()}",
            misread=misread_prompts(job.prompts, trained_ids, ids),
            answers=judge_parity(job.prompts, expected, answered, rounding)
            if self.quantisation == "f16"
            else judge_quantised(job.probes, expected, answered, TOLERANCES[self.quantisation]),
        )


def file_name(side: Side, quantisation: str) -> str:
    """The usual form of GGUF file names: `<base>-<run>-Q8_0.gguf`."""
    base = re.sub(r"[^A-Za-z0-9._-]+", "-", side.model.name)
    return f"{base}-{side.name}-{quantisation.upper()}.gguf"


def _stored_type(quantisation: str) -> str:
    """The type that `write_gguf` stores, before llama.cpp quantises it where that must."""
    return "f16" if quantisation in BY_LLAMA else quantisation


def _notes(quantisation: str, config: Mapping[str, Any]) -> tuple[str, ...]:
    notes = []
    if window := ignored_window(config):
        notes.append(
            f"llama.cpp ignores the model's window of {window} tokens: longer conversations are answered differently."
        )
    odd = [f"{size} {config[size]}" for size in ("hidden_size", "intermediate_size") if config[size] % K_BLOCK]
    if quantisation in BY_LLAMA and odd:
        notes.append(
            f"{quantisation} needs rows in multiples of {K_BLOCK}, and the model has {' and '.join(odd)}: "
            "llama.cpp stores those weights as q5_0 and q8_0, so the file is larger than usual."
        )
    return tuple(notes)
