"""Serving's decoding batch on a card: in float32 every row answers as on its own, and bfloat16 rows end well."""

import pytest

from tests.e2e.model.test_generation import PROMPTS, SIDES, TOKENS, Decoding
from tests.fakes.made_run import make_adapter, make_lively
from toolkit.model.device import find_device
from toolkit.model.language_model import LanguageModel
from toolkit.model.loading import load_pretrained


@pytest.fixture(scope="module", name="folders")
def _folders(micro_model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("lively")
    base = make_lively(folder / "base", micro_model)
    return base, {name: make_adapter(folder / name, base, seed=at, strength=0.3) for at, name in enumerate(SIDES[1:])}


def loaded(folders, precision: str) -> LanguageModel:
    base, adapters = folders
    return LanguageModel.over(*load_pretrained(base, find_device(precision)), adapters)


def every_pair() -> list[tuple[int, str | None]]:
    return [(at, side) for at in range(len(PROMPTS)) for side in SIDES]


def test_rows_of_every_side_answer_as_each_on_its_own(folders):
    model = loaded(folders, "float32")
    expected = {}
    for side in SIDES:
        with model.side(side):
            for at, prompt in enumerate(PROMPTS):
                [answer] = model.answers([prompt], max_new_tokens=TOKENS)
                expected[at, side] = answer.tokens

    decoding = Decoding(model)
    rows = dict(zip(every_pair(), decoding.join(*every_pair()), strict=True))
    decoding.finish()

    assert {pair: decoding.found[row] for pair, row in rows.items()} == expected


def test_a_mixed_batch_in_bfloat16_answers_every_row(folders):
    decoding = Decoding(loaded(folders, "bfloat16"))
    rows = decoding.join(*every_pair())
    decoding.finish()

    assert all(0 < len(decoding.found[row]) <= TOKENS for row in rows)
