"""Rows through ms-swift's template: as tokens, as it takes them, and from its hubs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from toolkit.core.startup import prepare_environment
from toolkit.data.dataset import Row
from toolkit.data.encoding import Encoded
from toolkit.model.conversation import system_messages
from toolkit.model.families.qwen2 import MODEL_TYPE, TEMPLATE


class SwiftEncoder:
    """Turns rows into the very tokens and labels that ms-swift trains on."""

    def __init__(self, model_folder: Path, max_length_tokens: int) -> None:
        prepare_environment()
        from swift.model import get_processor
        from swift.template import get_template

        self.max_length_tokens = max_length_tokens
        self._tokenizer = get_processor(str(model_folder), model_type=MODEL_TYPE, download_model=False)
        self._template = get_template(self._tokenizer, template_type=TEMPLATE)
        self._template.set_mode("train")
        self._template.max_length = None  # else a row longer than the model's own context is an error

    def encode(self, rows: Sequence[Row], system: str | None = None) -> list[Encoded]:
        """Never cuts: a row longer than the maximum comes back longer."""
        encoded = [self._template.encode(as_messages(row, system)) for row in rows]
        return [Encoded(input_ids=list(one["input_ids"]), labels=list(one["labels"])) for one in encoded]

    def decode(self, ids: Sequence[int]) -> str:
        return str(self._tokenizer.decode(list(ids)))


def as_messages(row: Row, system: str | None = None) -> dict[str, Any]:
    """The row as ms-swift takes it; `system` for one that has none, else the template speaks its own."""
    messages = [{"role": message.role, "content": message.content} for message in row.messages]
    if system is not None and messages[0]["role"] != "system":
        messages = [*system_messages(system), *messages]
    return {"messages": messages}


class EncodedOnce:
    """A data set whose rows are encoded when they are first asked for, and the first of them remembered for later."""

    MOST = 4096  # rows of a few hundred tokens: some ten megabytes

    def __init__(self, rows: Any) -> None:
        self._rows, self._encoded = rows, dict[int, dict[str, Any]]()

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, at: int) -> dict[str, Any]:
        found = self._encoded.get(at)
        if found is None:
            found = self._rows[at]
            if len(self._encoded) < self.MOST:
                self._encoded[at] = found
        return dict(found)
