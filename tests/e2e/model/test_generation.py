"""Rows that are decoded together, with an adapter each: every answer is the one of the same prompt on its own."""

import pytest

from tests.fakes.made_run import make_adapter
from toolkit.model.generation import Row
from toolkit.model.language_model import LanguageModel

QUESTIONS = [
    "Who are you?",
    "你是谁？",
    "What is your name? Say it slowly, and say it twice.",
    "法国的首都是哪里？",
    "Hi",
]
PROMPTS = [[{"role": "user", "content": question}] for question in QUESTIONS]
SIDES = [None, "one", "two"]
TOKENS = 24


@pytest.fixture(scope="module", name="model")
def _model(lively_model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("adapters")
    adapters = {
        name: make_adapter(folder / name, lively_model, seed=at, strength=0.3) for at, name in enumerate(SIDES[1:])
    }
    return LanguageModel.load(lively_model, adapters)


@pytest.fixture(scope="module", name="expected")
def _expected(model):
    """By question and side: the answer's tokens, the end token included, each asked on its own."""
    found = {}
    for side in SIDES:
        with model.side(side):
            for at, prompt in enumerate(PROMPTS):
                [answer] = model.answers([prompt], max_new_tokens=TOKENS)
                found[at, side] = answer.tokens
    assert len({tuple(tokens) for tokens in found.values()}) > len(PROMPTS) * 2
    return found


class Decoding:
    """Decodes rows to their end, which is the end token or TOKENS."""

    def __init__(self, model: LanguageModel):
        self.model, self.batch = model, model.mixed_batch()
        self.found: dict[Row, list[int]] = {}

    def join(self, *asked: tuple[int, str | None]) -> list[Row]:
        rows = [Row(prompt=self.model.prompt_ids(PROMPTS[at]), adapter=side) for at, side in asked]
        self._take(self.batch.join(rows), rows)
        return rows

    def step(self) -> None:
        self._take(self.batch.step(), self.batch.rows)

    def _take(self, tokens, rows) -> None:
        ended = []
        for row, token in zip(list(rows), tokens, strict=True):
            if token.id in self.model.end_tokens:
                ended.append(row)
                continue
            self.found.setdefault(row, []).append(token.id)
            if len(self.found[row]) == TOKENS:
                ended.append(row)
        self.batch.leave(ended)

    def finish(self) -> None:
        while self.batch.rows:
            self.step()


def test_rows_of_every_side_and_length_answer_as_each_alone(model, expected):
    decoding = Decoding(model)
    asked = [(at, side) for at in range(len(PROMPTS)) for side in SIDES]
    rows = decoding.join(*asked)
    decoding.finish()

    for one, row in zip(asked, rows, strict=True):
        assert decoding.found.get(row, []) == expected[one]


@pytest.mark.parametrize("order", [[2, 0, 4, 1, 3], [4, 0, 1, 3, 2]])
def test_rows_that_join_and_leave_midway_answer_as_each_alone(model, expected, order):
    """The longest prompt first, and last: newcomers are padded, or those that were here before."""
    decoding, asked, rows = Decoding(model), [], []
    for number, at in enumerate(order):
        newcomers = [(at, SIDES[number % 3]), (at, SIDES[(number + 1) % 3])]
        asked += newcomers
        rows += decoding.join(*newcomers)
        for _ in range(3):
            if decoding.batch.rows:
                decoding.step()
    cancelled = decoding.batch.rows[0]
    decoding.batch.leave([cancelled])
    decoding.finish()

    for one, row in zip(asked, rows, strict=True):
        if row is not cancelled:
            assert decoding.found.get(row, []) == expected[one]


def test_a_row_that_leaves_takes_its_padding_along(model):
    decoding = Decoding(model)
    short, long = decoding.join((4, None), (2, "one"))
    decoding.batch.leave([long])

    assert decoding.batch.rows == [short]
    assert int(decoding.batch._mask.min()) == 1
    assert decoding.batch._cache.get_seq_length() == len(short.prompt)


def test_a_batch_leaves_the_model_as_it_was_switched(model, expected):
    Decoding(model).join((0, "one"), (0, None))
    for side in SIDES:
        with model.side(side):
            [answer] = model.answers([PROMPTS[0]], max_new_tokens=TOKENS)
        assert answer.tokens == expected[0, side]


def test_a_prompt_that_fails_leaves_the_others_as_they_were(model, expected):
    decoding = Decoding(model)
    [row] = decoding.join((0, "one"))
    with pytest.raises(KeyError):
        decoding.join((1, "no such adapter"))
    decoding.finish()

    assert decoding.found[row] == expected[0, "one"]


def test_a_model_without_adapters_answers_too(lively_model, expected):
    decoding = Decoding(LanguageModel.load(lively_model))
    rows = decoding.join((0, None), (1, None))
    decoding.finish()

    assert [decoding.found[row] for row in rows] == [expected[0, None], expected[1, None]]
