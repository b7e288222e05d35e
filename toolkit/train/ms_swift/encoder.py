"""Rows as ms-swift's template encodes them, and encoded rows as its trainer reads them."""

from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from toolkit.core.errors import DataError, ModelError, first_line
from toolkit.core.startup import prepare_environment
from toolkit.core.suggestion import suggestion
from toolkit.data.dataset import Row
from toolkit.data.encoding import IGNORED, Encoded
from toolkit.data.messages import unusual_order, uses_tools
from toolkit.model.chat_template import ChatTokens, render_in_child, rendered, takes_tools
from toolkit.model.conversation import Messages, system_messages, tools_messages
from toolkit.model.families.qwen2 import MODEL_TYPE, TEMPLATE
from toolkit.model.loading import forbid_remote_code
from toolkit.train.ms_swift.frames import Frames


class SwiftEncoder:
    """Encodes rows into exactly the tokens and labels that training uses. Raises ModelError for a broken tokenizer."""

    def __init__(self, model_folder: Path, max_length_tokens: int) -> None:
        prepare_environment()
        distrust_models()
        from swift.model import get_processor
        from swift.template import get_template

        self.max_length_tokens = max_length_tokens
        try:
            self._tokenizer = get_processor(str(model_folder), model_type=MODEL_TYPE, download_model=False)
            self._template = get_template(self._tokenizer, template_type=TEMPLATE)
        except ModelError:
            raise
        except Exception as error:
            raise ModelError(
                f"The tokenizer in {model_folder} cannot be loaded: {type(error).__name__}: {first_line(error)}.",
                next=f'Check its files with "{suggestion("verify", Path(model_folder))}", or download it again.',
            ) from error
        self._template.set_mode("train")
        self._template.max_length = None  # else a row longer than the model's own context is an error

    @property
    def takes_tools(self) -> bool:
        return takes_tools(self._tokenizer)

    def encode(self, rows: Sequence[Row], system: str | None = None) -> list[Encoded]:
        """Never truncates: a row longer than the maximum comes back longer."""
        return encode_rows(self._template, rows, system)

    def decode(self, ids: Sequence[int]) -> str:
        return str(self._tokenizer.decode(list(ids)))


def encode_rows(template: Any, rows: Sequence[Row], system: str | None = None) -> list[Encoded]:
    """`template`: ms-swift's, in training mode; `system`: for rows without a system message of their own."""
    tokens = ChatTokens(template.tokenizer)
    with _tokenizing_with(template, tokens):
        encoded = Frames(template, tokens, lambda row: _encoded(template, tokens, row, system)).encode(rows)
        # Arrays: a token takes eight bytes in them, and several times that in lists of integers.
        return [Encoded(input_ids=array("i", ids), labels=array("i", labels)) for ids, labels in encoded]


def _encoded(template: Any, tokens: ChatTokens, row: Row, system: str | None) -> tuple[list[int], list[int]]:
    messages = tokens.escaped(_messages(row, system))
    if uses_tools(row):
        if not takes_tools(template.tokenizer):
            raise _without_tools(row)
        return as_rendered(template.tokenizer, tokens, messages)
    if unusual_order(row.messages) is not None:
        return as_rendered(template.tokenizer, tokens, messages)
    found = template.encode({"messages": messages})
    return found["input_ids"], found["labels"]


def _without_tools(row: Row) -> DataError:
    return DataError(
        f"Row {row.number} has tools or calls, and the base model's chat template has no place for them.",
        next="Name a base model that takes tools with --model, such as Qwen2.5-7B-Instruct, or delete these rows.",
    )


def as_rendered(tokenizer: Any, tokens: ChatTokens, messages: Messages) -> tuple[list[int], list[int]]:
    """Token ids and labels of a conversation as the chat template renders it. Raises ModelError.

    For rows with tools, and for the orders of turns that ms-swift refuses, or changes: it joins two questions, and puts
    an empty one before an answer. `messages`: escaped, the last one the assistant's.
    """
    plain = [{key: value for key, value in one.items() if key != "loss"} for one in messages]
    begin = _answer_begin(tokenizer)  # contents are escaped, so it is nowhere else
    ids: list[int] = []
    labels: list[int] = []
    text, end = rendered(tokenizer, plain, prompt=False), 0
    for at, message in enumerate(messages):
        if message["role"] != "assistant":
            continue
        so_far = text if at + 1 == len(messages) else rendered(tokenizer, plain[: at + 1], prompt=False)
        start = so_far.rfind(f"{begin}{message['content']}") + len(begin)
        if start < max(end, len(begin)) or not text.startswith(so_far):
            answer = message["content"][:40] or "a call"
            raise ModelError(
                f"The model's chat template does not render {answer!r} as an answer of its own.",
                next="Alternate user and assistant in this row, or delete it.",
            )
        before, answer = tokens.ids(text[end:start]), tokens.ids(so_far[start:])
        trained = answer if message.get("loss", True) else [IGNORED] * len(answer)
        ids, labels, end = ids + before + answer, labels + [IGNORED] * len(before) + trained, len(so_far)
    return ids, labels


@lru_cache(maxsize=2)
def _answer_begin(tokenizer: Any) -> str:
    """What the chat template puts before an answer."""
    question: Messages = [{"role": "user", "content": "?"}]
    return rendered(tokenizer, question, prompt=True).removeprefix(rendered(tokenizer, question, prompt=False))


@contextmanager
def _tokenizing_with(template: Any, tokens: ChatTokens) -> Iterator[None]:
    """ms-swift's template splits a conversation into parts, and encodes each by this method."""
    template._tokenize = tokens.ids  # noqa: SLF001  # docs/fragile.md
    try:
        yield
    finally:
        del template._tokenize  # noqa: SLF001


def _messages(row: Row, system: str | None) -> list[dict[str, Any]]:
    messages = [message.for_template() for message in row.messages]
    if system is not None and messages[0]["role"] != "system":
        messages = [*system_messages(system), *messages]
    return [*tools_messages(row.tools), *messages]


class EncodedDataset:
    """Encoded rows as a dataset of dictionaries of lists, the format that ms-swift's data collator takes."""

    def __init__(self, rows: Sequence[Encoded]) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, at: int) -> dict[str, list[int]]:
        row = self._rows[at]
        return {"input_ids": list(row.input_ids), "labels": list(row.labels)}


def distrust_models() -> None:
    """ms-swift trusts the Python code in a model's folder by default; from here on nothing that it loads runs any."""
    from swift.model.register import ModelLoader

    ModelLoader.default_trust_remote_code = False
    forbid_remote_code()  # for the places where it asks for the code regardless
    render_in_child()
