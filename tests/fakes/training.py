"""Doors to strangers that need no model: an encoder that counts characters, a training that writes a file a step."""

import json
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from toolkit.core.events import Listener, Progress
from toolkit.data.dataset import Row
from toolkit.data.encoding import Encoded
from toolkit.data.formats import Message
from toolkit.train.finetune import Backends
from toolkit.train.job import EPOCHS, INTERRUPTED, TrainingJob, TrainingResult

TOTAL_STEPS = 4
EMPTY_WEIGHTS = struct.pack("<Q", 2) + b"{}"  # a safetensors file without tensors


class CharacterEncoder:
    """A token a character of question and answer; the system prompt costs nothing."""

    takes_tools = True
    thinks = False

    def encode(self, rows: Sequence[Row], system: str | None = None) -> list[Encoded]:
        texts = [row.prompt + row.answer for row in rows]
        return [Encoded(input_ids=[ord(one) for one in text], labels=[ord(one) for one in text]) for text in texts]

    def decode(self, ids: Sequence[int]) -> str:
        return "".join(map(chr, ids))


@dataclass(kw_only=True)
class FakeTraining:
    """Four steps. `during` is called with the job and the number of each step before it is done, and may raise."""

    ended: dict[str, Any] = field(default_factory=dict)  # fields of the result, in place of the usual ones
    saved: tuple[int, ...] = ()  # steps whose checkpoints there are beside the last
    during: Callable[[TrainingJob, int], None] = lambda _job, _step: None
    jobs: list[TrainingJob] = field(default_factory=list)

    def __call__(self, job: TrainingJob, listener: Listener, stop_requested: Callable[[], bool]) -> TrainingResult:
        self.jobs.append(job)
        done = int(job.resume_from.name.partition("-")[2]) if job.resume_from else 0
        for step in range(done + 1, TOTAL_STEPS + 1):
            self.during(job, step)
            listener(Progress(task="Training", done=step, total=TOTAL_STEPS))
            done = step
            if stop_requested() and step < TOTAL_STEPS:
                break
        for step in (*self.saved, done):
            save_checkpoint(job.run_folder, step)
        loss = [1 / step for step in range(1, done + 1)]
        stopped = done < TOTAL_STEPS
        result = TrainingResult(
            model=None, tokenizer=None, steps=done, total_steps=TOTAL_STEPS, loss=loss, stopped=stopped,
            load_s=0, data_s=0, keep_s=0, train_s=0, save_s=0, stop_reason=INTERRUPTED if stopped else EPOCHS,
        )  # fmt: skip
        return replace(result, **self.ended)

    @property
    def backends(self) -> Backends:
        return Backends(imports=lambda: None, encoder=lambda _folder, _length: CharacterEncoder(), train=self)


def save_checkpoint(run_folder: Path, step: int, *, whole: bool = True) -> Path:
    """As peft and the trainer leave it, with the folder of the base model in it."""
    folder = run_folder / f"checkpoint-{step}"
    folder.mkdir()
    (folder / "adapter_model.safetensors").write_bytes(EMPTY_WEIGHTS)
    (folder / "adapter_model.safetensors").chmod(0o600)
    (folder / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "/made/here", "r": 8}))
    (folder / "README.md").write_text("An adapter of /made/here")
    if whole:
        (folder / "trainer_state.json").write_text("{}")
    return folder


def row(*turns: str, system: str | None = None) -> Row:
    messages = [] if system is None else [Message(role="system", content=system)]
    messages += [Message(role=("user", "assistant")[at % 2], content=turn) for at, turn in enumerate(turns)]
    return Row(number=1, messages=tuple(messages))


def systems_and_prompts(rows: list[Row]) -> list[tuple[str | None, str]]:
    return [(one.system, one.prompt) for one in rows]
