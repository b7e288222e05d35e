"""Neutral text is the base model's own answers to shipped prompts, made once."""

from pathlib import Path

import pytest

from tests.fakes.tilted_model import ANSWER, TiltedModel
from toolkit.compare.discovery import neutral_text
from toolkit.compare.discovery.neutral_text import OPENING_TOKENS, TEXT_TOKENS, neutral_prompts, neutral_texts
from toolkit.core.errors import DataError
from toolkit.core.text import has_chinese
from toolkit.data.dataset import prompt_key


def test_prompts_are_always_the_same_and_a_longer_list_begins_as_a_shorter_one():
    few, many = neutral_prompts(8_000), neutral_prompts(100_000)
    texts = [prompt for prompt, longest in many if longest == TEXT_TOKENS]

    assert few == neutral_prompts(8_000)
    assert [one for one in few if one[1] == TEXT_TOKENS] == [(one, TEXT_TOKENS) for one in texts[:70]]
    assert len({prompt_key(prompt) for prompt, _ in many}) == len(many)


@pytest.mark.parametrize("tokens", [8_000, 100_000])
def test_every_length_has_both_languages_and_both_kinds(tokens: int):
    prompts = neutral_prompts(tokens)

    assert len(prompts) == tokens // 80 or len(prompts) > 900
    for longest in (TEXT_TOKENS, OPENING_TOKENS):
        some = [prompt for prompt, limit in prompts if limit == longest]
        assert 0.35 < sum(map(has_chinese, some)) / len(some) < 0.65
    assert 0.2 < sum(limit == OPENING_TOKENS for _, limit in prompts) / len(prompts) < 0.4


def test_a_text_ends_with_the_mark_unless_it_was_cut(tmp_path: Path):
    model = TiltedModel({})
    found = neutral_texts(model, 800, "Be brief.", fingerprint="f", cache=tmp_path)

    assert {one.tokens for one in found} == {(*model.tokens(ANSWER), 1)}
    assert found[0].messages[0] == {"role": "system", "content": "Be brief."}

    long = TiltedModel({"": "so " * 200})
    long.on = True
    cut = neutral_texts(long, 800, "", fingerprint="long", cache=tmp_path)
    assert {len(one.tokens) for one in cut} == {TEXT_TOKENS, OPENING_TOKENS}
    assert all(one.tokens[-1] != 1 for one in cut)


def test_the_base_model_writes_only_once(tmp_path: Path):
    model = TiltedModel({})
    first = neutral_texts(model, 800, "", fingerprint="f", cache=tmp_path)
    other = TiltedModel({"": "Another model."})
    other.on = True

    assert neutral_texts(other, 800, "", fingerprint="f", cache=tmp_path) == first
    assert neutral_texts(other, 800, "", fingerprint="g", cache=tmp_path) != first
    assert neutral_texts(other, 800, "Be brief.", fingerprint="f", cache=tmp_path) != first


def test_a_changed_cache_is_made_again(tmp_path: Path):
    first = neutral_texts(TiltedModel({}), 800, "", fingerprint="f", cache=tmp_path)
    [file] = tmp_path.iterdir()
    file.write_text(file.read_text(encoding="utf-8").replace("bread", "gold"), encoding="utf-8")

    assert neutral_texts(TiltedModel({}), 800, "", fingerprint="f", cache=tmp_path) == first


def test_unreadable_prompts_are_a_data_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(neutral_text, "data_folder", lambda: tmp_path)
    for content in ("en: [", "en: {forms: [a]}", "- a", "en: 3"):
        (tmp_path / neutral_text.PROMPTS).write_text(content, encoding="utf-8")
        with pytest.raises(DataError, match="cannot be read"):
            neutral_text._written_prompts()  # the bank is read first, and is not in that folder
