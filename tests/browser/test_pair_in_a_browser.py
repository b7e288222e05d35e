"""pair.html as a reader sees it: nothing loaded, run, cut off or inaccessible, and numbers lead to their answers."""

from dataclasses import replace

import pytest

from tests.browser.conftest import expect_a_sound_file
from tests.fakes.answered import answered
from tests.fakes.ledgers import ledger
from tests.fakes.paired import compared_run, learned
from toolkit.compare.report.pair.html import render_pair
from toolkit.compare.report.pair.pair import read_pair
from toolkit.compare.texts import Texts
from toolkit.data.probes import OUT_OF_SCOPE

EVIL = "</p><script>window.ran = 1</script><img src='http://x.invalid/y' onerror='window.ran = 1'> " + "long" * 200
HEADLINE = {"en": "v1 (keep) is better in 6 of 12 answers", "zh": "12 个回答中，v1 (keep) 更好的有 6 个"}


@pytest.fixture(scope="module", name="seen")
def _seen(language, look, tmp_path_factory):
    """Questions of both and of one only, other words of the base model, abilities, and what no model should say."""
    folder = tmp_path_factory.mktemp("page")
    evil = [
        answered(OUT_OF_SCOPE, EVIL, EVIL, prompt=EVIL, name="e", system=system) for system in ("", EVIL)
    ]  # fmt: skip
    new = [answered(OUT_OF_SCOPE, "a", EVIL, prompt="New?", name="x")]
    left = [replace(one, before="I'm Qwen.") if one.probe.id == "t" else one for one in learned(forgets=True)]
    compared_run(folder, 0, [*left, *evil], ability=ledger("--xx", "---x"))
    compared_run(folder, 1, [*learned(forgets=False), *evil, *new], ability=ledger("--xx", "x-xx"))
    file = folder / "pair.html"
    file.write_text(render_pair(read_pair("v0", "v1", folder), Texts(language)), encoding="utf-8")
    return look(file)


def test_nothing_is_loaded_run_wider_than_the_screen_or_inaccessible(seen):
    expect_a_sound_file(seen)


def test_the_headline_is_there_at_each_width(seen, language):
    assert all(HEADLINE[language] in one["text"] for one in seen)


def test_nothing_is_cut_off(seen):
    assert [one["cut"] for one in seen] == [0, 0, 0, 0]


def test_a_choice_counts_what_it_shows(seen):
    for one in seen:
        assert one["counted"] == one["shown"]
        assert {name: count for name, count in one["shown"].items() if name.startswith("answers")} == {
            "answers-all": 13, "answers-better-right": 6, "answers-differ": 6, "answers-wrong": 4,
            "answers-only-right": 1,
        }  # fmt: skip


def test_a_click_on_a_number_shows_the_answers_behind_it(seen):
    """The headline's, both verdicts', a figure's of each run, and a difference's."""
    for one in seen:
        behind = one["behind"]
        assert (behind["#better-right"], behind["#alike"], behind["#only-right"], behind["#base"]) == (6, 6, 1, 2)
        assert (behind["#left-learned"], behind["#right-learned"], behind["#left-leaked"]) == (2, 2, 1)
        assert (behind["#left-p-0"], behind["#right-p-0"]) == (1, 1)
        assert (behind["#differ-generality"], behind["#differ-leakage"], behind["#differ-kl"]) == (2, 2, 4)
