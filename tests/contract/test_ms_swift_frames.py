"""Rows that are encoded together, in the frames that the chat template shows, against each row by itself."""

from dataclasses import replace
from importlib import import_module
from itertools import product
from typing import Any

import pytest

from toolkit.data.dataset import Row
from toolkit.data.messages import Message
from toolkit.model.chat_template import ChatTokens

# Among them what templates split, replace or strip, and what the tokenizer joins across a border.
CONTENTS = (
    "你好！", "  two  spaces \n\n", "\n", " ", "`<image>` and <video>", "<think>no</think> yes", "{{QUERY}} {{SYSTEM}}",
    "<|im_end|>", "a <|endoftext|>", "\ufdd0\ufdd2 1\ufdd3", "e\u0301 \U0001f600", "<bbox>", "1 + 1 = 2", "</s>",
    "x" * 500,
)  # fmt: skip


@pytest.fixture(name="template", scope="module")
def _template(micro_model) -> Any:
    from toolkit.train.ms_swift.encoder import SwiftEncoder

    return SwiftEncoder(micro_model, 128)._template


def conversation(*contents: str, system: str | None = None, masked: tuple[int, ...] = ()) -> Row:
    """Turns of user and assistant; `masked`: those that are not trained."""
    messages = [] if system is None else [Message(role="system", content=system)]
    messages += [
        Message(role=("user", "assistant")[at % 2], content=content, trained=at not in masked)
        for at, content in enumerate(contents)
    ]
    return Row(number=1, messages=tuple(messages))


ROWS = [
    *(conversation(*pair) for pair in product(CONTENTS, repeat=2)),
    *(conversation("Hi", content, system=other) for content, other in product(CONTENTS, ("", *CONTENTS))),
    *(conversation("a", content, "b", "c", content, "d") for content in CONTENTS),
    *(conversation("a", content, content, "d", masked=(1,)) for content in CONTENTS),
    *(conversation("a", content, content, "d", "e", "f", system="S", masked=(3,)) for content in CONTENTS),
]


def test_rows_that_are_encoded_together_have_the_tokens_that_the_chat_template_renders(template):
    from toolkit.train.ms_swift.encoder import _encoded, _messages, _tokenizing_with, encode_rows

    tokens, tokenizer = ChatTokens(template.tokenizer), template.tokenizer
    plain = [[{"role": one["role"], "content": one["content"]} for one in tokens.escaped(_messages(row, None))]
             for row in ROWS]  # fmt: skip
    with _tokenizing_with(template, tokens):
        expected = [_encoded(template, tokens, row, None) for row in ROWS]

    found = encode_rows(template, ROWS)

    texts = [tokenizer.apply_chat_template(one, tokenize=False) for one in plain]
    assert [tokenizer.decode(one.input_ids) for one in found] == [tokenizer.decode(tokens.ids(text)) for text in texts]
    assert [(list(one.input_ids), list(one.labels)) for one in found] == expected


def test_rows_in_an_unusual_order_of_turns_are_encoded_together_too(template):
    from toolkit.train.ms_swift.encoder import _encoded, _tokenizing_with, encode_rows

    tokens = ChatTokens(template.tokenizer)
    first, second = Message(role="assistant", content="a"), Message(role="user", content="b")
    orders = (
        [first, second, first],
        [second, second, first],
        [second, first, Message(role="system", content="S"), first],
    )
    rows = [Row(number=1, messages=(*order[:-1], replace(order[-1], content=content)))
            for order in orders for content in CONTENTS]  # fmt: skip
    with _tokenizing_with(template, tokens):
        expected = [_encoded(template, tokens, row, "S") for row in rows]

    found = encode_rows(template, rows, "S")

    assert [(list(one.input_ids), list(one.labels)) for one in found] == expected


def test_the_template_is_rendered_for_each_shape_and_not_for_each_row(template, monkeypatch):
    encoder = import_module("toolkit.train.ms_swift.encoder")
    rendered, as_rendered = [], encoder.as_rendered
    monkeypatch.setattr(encoder, "as_rendered", lambda *given: rendered.append(given) or as_rendered(*given))

    encoder.encode_rows(template, [conversation(f"Question {number}?", f"Answer {number}.") for number in range(2000)])

    assert len(rendered) == 2  # marks, and the first row


def test_a_template_whose_frame_does_not_show_what_it_encodes_is_rendered_for_every_row(template, monkeypatch):
    encoder = import_module("toolkit.train.ms_swift.encoder")
    as_rendered = encoder.as_rendered
    rows, shorter = (
        [conversation(f"{word} {number}?", "Yes.") for number in range(5)] for word in ("Question", "Q")
    )  # fmt: skip

    def changing(tokenizer: Any, tokens: Any, messages: Any, *more: Any) -> Any:
        changed = [one | {"content": one["content"].replace("Question", "Q")} for one in messages]
        return as_rendered(tokenizer, tokens, changed, *more)

    expected = encoder.encode_rows(template, shorter)
    monkeypatch.setattr(encoder, "as_rendered", changing)

    found = encoder.encode_rows(template, rows)

    assert [list(one.input_ids) for one in found] == [list(one.input_ids) for one in expected]


def test_copies_of_the_process_encode_the_same(micro_model, monkeypatch):
    """With all libraries loaded, torch's threads begun, and where the user lets the tokenizers have threads."""
    torch = import_module("torch")
    module = import_module("toolkit.train.ms_swift.encoder")
    monkeypatch.setattr("toolkit.data.containers.copies.own_cores", lambda: 3)
    monkeypatch.setattr(module, "ROWS_AT_ONCE", 50)
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "true")
    encoder = import_module("toolkit.train.ms_swift.encoder").SwiftEncoder(micro_model, 128)
    expected = encoder.encode(ROWS)
    torch.ones(2000, 2000) @ torch.ones(2000, 2000)

    parts = list(module.encoded_parts(encoder, ROWS, lambda _: None))

    assert len(parts) > 3
    assert [one for part in parts for one in part] == expected
