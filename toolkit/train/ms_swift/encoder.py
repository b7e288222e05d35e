"""Rows as training encodes them, and encoded rows as its trainer reads them."""

from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from toolkit.core.errors import DataError, ModelError, first_line
from toolkit.core.events import Listener
from toolkit.core.startup import prepare_environment
from toolkit.core.suggestion import suggestion
from toolkit.core.text import IDS
from toolkit.data.containers.copies import rows_in_copies
from toolkit.data.containers.stored_tokens import StoredTokens
from toolkit.data.dataset import Row
from toolkit.data.encoding import ROWS_AT_ONCE, TOKENS, Encoded, Encoder
from toolkit.data.messages import uses_tools
from toolkit.model.chat_template import ChatTokens, render_in_child, takes_tools, thinks
from toolkit.model.conversation import system_messages, tools_messages
from toolkit.model.families.family import family_of
from toolkit.model.loading import forbid_remote_code, remember_tokenizers
from toolkit.train.ms_swift.frames import Frames
from toolkit.train.ms_swift.names import swift_names
from toolkit.train.ms_swift.rendered_rows import as_rendered
from toolkit.train.ms_swift.word_tokens import WordTokens

Change = Callable[[Sequence[Row]], Sequence[Row]]


class SwiftEncoder:
    """Encodes rows into exactly the tokens and labels that training uses. Raises ModelError for a broken tokenizer."""

    def __init__(self, model_folder: Path, max_length_tokens: int) -> None:
        prepare_environment()
        distrust_models()
        from swift.model import get_processor
        from swift.template import get_template

        self.max_length_tokens = max_length_tokens
        try:
            names = swift_names(model_folder)
            self._tokenizer = get_processor(str(model_folder), model_type=names.model_type, download_model=False)
            self._template = get_template(self._tokenizer, template_type=names.template)
        except ModelError:
            raise
        except Exception as error:
            raise ModelError(
                f"The tokenizer in {model_folder} cannot be loaded: {type(error).__name__}: {first_line(error)}.",
                next=f'Check its files with "{suggestion("verify", Path(model_folder))}", or download it again.',
            ) from error
        self._template.set_mode("train")
        self._words = WordTokens(self._tokenizer.backend_tokenizer)
        self._template.max_length = None  # else a row longer than the model's own context is an error

    @property
    def takes_tools(self) -> bool:
        return takes_tools(self._tokenizer)

    @property
    def thinks(self) -> bool:
        return thinks(self._tokenizer)

    def encode(self, rows: Sequence[Row], system: str | None = None) -> list[Encoded]:
        """Never truncates: a row longer than the maximum comes back longer."""
        return encode_rows(self._template, rows, system, self._words)

    def decode(self, ids: Sequence[int]) -> str:
        return str(self._tokenizer.decode(list(ids)))


def encode_rows(
    template: Any, rows: Sequence[Row], system: str | None = None, words: WordTokens | None = None
) -> list[Encoded]:
    """`template`: ms-swift's, in training mode; `system`: for rows without a system message of their own.

    `words`: those that the template's tokenizer has met before.
    """
    tokens, words = ChatTokens(template.tokenizer), words or WordTokens(template.tokenizer.backend_tokenizer)
    with _tokenizing_with(template, tokens):
        encoded = Frames(template, tokens, words, lambda row: _encoded(template, tokens, row, system)).encode(rows)
        return [Encoded(input_ids=_compact(ids), labels=_compact(labels)) for ids, labels in encoded]


def _unchanged(rows: Sequence[Row]) -> Sequence[Row]:
    return rows


def encoded_parts(
    encoder: Encoder, rows: Sequence[Row], listener: Listener, change: Change = _unchanged
) -> Iterator[StoredTokens]:
    """The tokens of ROWS_AT_ONCE rows at a time, in the rows' order, with an event after each if there are several.

    `change`: what becomes of some of the rows before they are encoded, where they are.
    """

    def encode(part: slice) -> StoredTokens:
        return StoredTokens(encoder.encode(list(change(rows[part]))))

    return rows_in_copies(encode, len(rows), ROWS_AT_ONCE, TOKENS, listener)


def _compact(values: Sequence[int]) -> "array[int]":
    """As an array: a token takes four bytes in it, and several times that in a list of integers."""
    return values if isinstance(values, array) else array(IDS, values)


def _encoded(template: Any, tokens: ChatTokens, row: Row, system: str | None) -> tuple[list[int], list[int]]:
    """As the model's own chat template renders it, which is also what it is asked with: not by ms-swift's."""
    if uses_tools(row) and not takes_tools(template.tokenizer):
        raise _without_tools(row)
    end = family_of(template.config.to_dict()).answer_end
    return as_rendered(template.tokenizer, tokens, tokens.escaped(_messages(row, system)), end)


def _without_tools(row: Row) -> DataError:
    return DataError(
        f"Row {row.number} has tools or calls, and the base model's chat template has no place for them.",
        next="Name a base model that takes tools with --model, such as Qwen2.5-7B-Instruct, or leave such rows out: "
        '"toolkit check DATA --write clean.jsonl" with this --model writes the others.',
    )


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

    def length(self, at: int) -> int:
        """Of a row, in tokens."""
        return len(self._rows[at].input_ids)

    def longest(self) -> int:
        """Of all rows, in tokens."""
        return max(map(self.length, range(len(self))))

    def __getitem__(self, at: int) -> dict[str, list[int]]:
        row = self._rows[at]
        return {"input_ids": list(row.input_ids), "labels": list(row.labels)}


def distrust_models() -> None:
    """ms-swift trusts the Python code in a model's folder by default; from here on nothing that it loads runs any."""
    from swift.model.register import ModelLoader

    ModelLoader.default_trust_remote_code = False
    forbid_remote_code()  # for the places where it asks for the code regardless
    render_in_child()
    remember_tokenizers()
