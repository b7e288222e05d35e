"""A GGUF file that answers by llama.cpp (through llama-cpp-python), and llama.cpp's quantiser.

Tokenizer, chat template and end marks are those in the file; nothing comes from the base model's folder.
"""

import functools
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from toolkit.core.errors import ExportError, ModelError
from toolkit.core.events import Listener, Progress, silent
from toolkit.model.chat_template import CLOSED, SWITCH, SYSTEM_TRIAL, opens_thought, render, template_values
from toolkit.model.conversation import Messages
from toolkit.model.decoding.answer import Answer, answer_of
from toolkit.model.decoding.greedy import Continuation

CONTEXT_TOKENS = 4096  # for a probe and its answer
BATCH_TOKENS = 512
LOG_ERROR = 4  # ggml's level
_errors: deque[str] = deque(maxlen=3)


def llama_version() -> str | None:
    """None where llama-cpp-python is not installed."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("llama-cpp-python")
    except PackageNotFoundError:
        return None


def quantise(source: Path, target: Path, kind: str) -> None:
    """Writes `target` from the f16 file `source`; `kind`: q4_k_m. Raises ExportError."""
    import ctypes

    import llama_cpp

    params = llama_cpp.llama_model_quantize_default_params()
    params.ftype = getattr(llama_cpp, f"LLAMA_FTYPE_MOSTLY_{kind.upper()}")
    _capture_log()
    failed = llama_cpp.llama_model_quantize(str(source).encode(), str(target).encode(), ctypes.byref(params))
    if failed or not target.is_file():
        raise ExportError(f"llama.cpp could not quantise to {kind}: {_last_error()}.", next="Use --quantization q8_0.")


class LlamaModel:
    """One GGUF file, loaded by llama.cpp; its layers go onto a card where its build supports one."""

    def __init__(self, path: Path) -> None:
        """Raises ModelError."""
        import llama_cpp

        _capture_log()
        try:
            self._llama = llama_cpp.Llama(
                str(path), n_ctx=CONTEXT_TOKENS, n_batch=BATCH_TOKENS, n_gpu_layers=-1, verbose=False
            )
        except (ValueError, RuntimeError, OSError) as error:
            raise ModelError(
                f"llama.cpp cannot load {path}: {_last_error(error)}.", next="Export again with --force."
            ) from error
        self._template = self._own_template()
        self._writes_system: bool | None = None

    def _own_template(self) -> str:
        template = self._llama.metadata.get("tokenizer.chat_template")
        if template is None:
            raise ModelError("The GGUF file contains no chat template.", next="Use a base model that has one.")
        return str(template)

    def _mark(self, token: int) -> str:
        return "" if token < 0 else str(self._llama.detokenize([token], special=True).decode("utf-8"))

    def close(self) -> None:
        self._llama.close()

    def prompt_ids(self, messages: Messages) -> list[int]:
        """Token ids by the file's own chat template and tokenizer, up to where the answer begins."""
        marks = {f"{name}_token": self._mark(getattr(self._llama, f"token_{name}")()) for name in ("bos", "eos")}
        # A model that thinks is asked without a thought, as `LanguageModel` asks it.
        values = {**template_values(messages), "add_generation_prompt": True, SWITCH: False, **marks}
        if values["messages"][0]["role"] == "system" and not self._takes_system(marks):
            values["messages"] = values["messages"][1:]
        text = render(self._template, values)
        text += CLOSED if opens_thought(text) else ""
        return list(self._llama.tokenize(text.encode("utf-8"), add_bos=False, special=True))

    def _takes_system(self, marks: Mapping[str, str]) -> bool:
        """As `chat_template.takes_system`, by the file's own template."""
        if self._writes_system is None:
            trial = {"messages": SYSTEM_TRIAL, "add_generation_prompt": True, **marks}
            try:
                self._writes_system = SYSTEM_TRIAL[0]["content"] in render(self._template, trial)
            except ModelError:
                self._writes_system = False
        return self._writes_system

    def answers(
        self, prompts: Sequence[Messages], *, max_new_tokens: int, listener: Listener = silent, task: str = "GGUF"
    ) -> list[Answer]:
        """One greedy answer a prompt, in the prompts' order."""
        answers = []
        for messages in prompts:
            answers.append(self._answer(self.prompt_ids(messages), max_new_tokens))
            listener(Progress(task=task, done=len(answers), total=len(prompts)))
        return answers

    def _answer(self, ids: list[int], max_new_tokens: int) -> Answer:
        import torch

        room = self._llama.n_ctx() - max_new_tokens
        if len(ids) > room:
            raise ModelError(f"A probe has {len(ids)} tokens; the gate has room for {room}.", next="Shorten the probe.")
        self._llama.reset()
        tokens: list[int] = []
        margins: list[float] = []
        first, unread = None, ids
        while True:
            self._llama.eval(unread)
            logits = self._logits()
            first = logits if first is None else first
            best = logits.topk(2)
            margins.append(float(best.values[0] - best.values[1]))
            token = int(best.indices[0])
            if self._ends(token):
                break
            tokens.append(token)
            if len(tokens) == max_new_tokens:
                break
            unread = [token]
        if not torch.isfinite(first).all():
            raise ModelError("The GGUF's logits are not finite numbers.", next="Export with --quantization f16.")
        found = Continuation(tokens=tokens, margins=margins, first_logits=first)
        return answer_of(found, lambda ids: str(self._llama.detokenize(list(ids)).decode("utf-8", errors="replace")))

    def _logits(self) -> Any:
        """Shape [vocabulary], float32, after the last token that was read."""
        import llama_cpp
        import numpy as np
        import torch

        row = llama_cpp.llama_get_logits_ith(self._llama.ctx, -1)
        return torch.from_numpy(np.ctypeslib.as_array(row, shape=(self._llama.n_vocab(),)).copy())

    def _ends(self, token: int) -> bool:
        import llama_cpp

        return bool(llama_cpp.llama_vocab_is_eog(self._llama._model.vocab, token))  # noqa: SLF001  # it has no public name


@functools.cache
def _capture_log() -> Any:
    """Keeps llama.cpp's log off stderr; its last errors are kept for the message to the user."""
    import llama_cpp

    def receive(level: int, text: bytes, _: Any) -> None:
        if level == LOG_ERROR:
            _errors.append(text.decode("utf-8", errors="replace").strip())

    callback = llama_cpp.llama_log_callback(receive)
    llama_cpp.llama_log_set(callback, None)
    return callback  # kept alive by the cache: llama.cpp calls it for as long as the process lives


def _last_error(error: object = "it gives no reason") -> str:
    return _errors[-1].rstrip(".") if _errors else str(error)
