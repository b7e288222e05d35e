"""Whether a model that thinks still does: shown by intervals, as everything that must be kept."""

import pytest

from toolkit.compare.ability.thinking import ThoughtCount, thinking_entry
from toolkit.compare.verdict import INCONCLUSIVE, KEPT, THINKING, THOUGHT, reach_verdict
from toolkit.core.text import Thought
from toolkit.model.conversation import THINKING as MARK
from toolkit.model.language_model import Answer


def entry(pairs, wanted="keep"):
    return thinking_entry(pairs, wanted=wanted, system="", thought_tokens=64)


def verdict(found, **more):
    return reach_verdict({"": {}}, {}, thinking=found, **more)


def test_thinking_is_kept_if_the_complete_interval_is_within_two_points():
    found = entry([(True, True)] * 300)

    assert (found.before, found.after, found.points, found.outcome) == (300, 300, 0, "kept")
    assert 0 < found.high < 2
    assert verdict(found).half("kept") == "met"


@pytest.mark.parametrize("pair", [(True, False), (False, True)])
def test_thinking_has_moved_whether_it_became_less_or_more(pair):
    found = entry([(True, True)] * 200 + [pair] * 100)

    assert found.outcome == "moved"
    assert found.points == pytest.approx(33.3, abs=0.1)
    reached = verdict(found)
    assert not reached.kept
    assert [one.metric for one in reached.shortfalls] == [THINKING]
    assert THINKING in KEPT
    assert "change of thinking in pts is 33.333, above 2" in reached.reasons[0]


def test_few_questions_leave_it_open_and_say_how_many_more_would_tell():
    found = entry([(True, True)] * 50)

    assert found.outcome == "open"
    assert 80 < found.more < 100
    reached = verdict(found, strict=True)
    assert reached.exit_code == INCONCLUSIVE
    assert "about" in reached.reasons[0]


def test_where_none_should_be_left_the_share_after_counts():
    none_left, some_left = (entry([(True, False)] * 300 + [(True, True)] * left, "off") for left in (0, 30))

    assert (none_left.points, none_left.outcome) == (0, "kept")
    assert some_left.outcome == "moved"
    reached = verdict(some_left)
    assert not reached.took
    assert [one.metric for one in reached.shortfalls] == [THOUGHT]


class Thinker:
    """Answers the first question after a thought, the second after an empty one, the third within one."""

    def answers(self, prompts, **how):
        self.asked, self.how = prompts, how
        thoughts = [Thought(text="Hm.", closed=True), Thought(text=" ", closed=True), Thought(text="Hm", closed=False)]
        return [Answer(text="", thought=one, tokens=[], margins=[], first_logits=None) for one in thoughts]


def test_only_a_thought_that_says_something_and_ends_counts():
    asked, model = ThoughtCount(thought_tokens=64, prompts=("A", "B", "C")), Thinker()

    asked.ask(model, "")
    asked.ask(model, "")

    assert asked.pairs == [(True, True), (False, False), (False, False)]
    assert model.asked[0] == [*MARK, {"role": "user", "content": "A"}]
    assert model.how["thought_tokens"] == 64
