"""System prompts: which are tried, what they are called, and which the chat template tells apart."""

from tests.fakes.answered import SYSTEM, answered, report_on
from toolkit.compare.questions import UNRELATED, distinct, kind, matrix
from toolkit.compare.report.figures import ledger_lines, where_it_holds
from toolkit.compare.texts import Texts
from toolkit.data.probes import OUT_OF_SCOPE, TRAINED
from toolkit.model.conversation import DEFAULT, NONE, conversation
from toolkit.model.divergence import Drift


def test_the_trained_prompt_is_the_first_of_four():
    assert matrix(SYSTEM) == (SYSTEM, DEFAULT, NONE, UNRELATED)


def test_a_model_trained_without_one_is_asked_under_three():
    assert matrix(DEFAULT) == (DEFAULT, NONE, UNRELATED)


def test_each_has_a_kind():
    told = [kind(system, SYSTEM) for system in (*matrix(SYSTEM), "You are a poet.")]

    assert told == ["training", "default", "none", "unrelated", "given"]
    assert kind(DEFAULT, DEFAULT) == "training"
    assert kind(SYSTEM, None) == "given"


def test_of_two_that_the_template_renders_alike_the_first_is_asked():
    assert distinct(["a", "", "b"], [[1], [1], [2]]) == ("a", "b")


def test_no_system_message_is_not_an_empty_one():
    assert conversation("Who?", DEFAULT) == [{"role": "user", "content": "Who?"}]
    assert conversation("Who?", NONE)[0] == {"role": "system", "content": ""}
    assert conversation("Who?", SYSTEM)[0] == {"role": "system", "content": SYSTEM}


def under(*passing: str, trying=(SYSTEM, DEFAULT, UNRELATED)):
    return report_on(
        *(answered(TRAINED, "Qwen", "Nova" if one in passing else "Hm", name="who", system=one) for one in trying)
    )


def test_the_report_says_where_the_change_holds():
    assert where_it_holds(under(SYSTEM, DEFAULT, UNRELATED), Texts()).startswith("The change holds under every")
    assert where_it_holds(under(SYSTEM), Texts()) == "The change holds only under the training system prompt."
    assert where_it_holds(under(SYSTEM), Texts("zh")) == "改动只在训练时的系统提示词下生效。"
    assert where_it_holds(under(SYSTEM, DEFAULT), Texts()) == f"The change does not hold under: {UNRELATED}."
    assert where_it_holds(under(UNRELATED), Texts()).startswith(
        f"The change does not hold under: {SYSTEM}, the model's"
    )


def test_it_says_nothing_where_one_was_tried_or_it_holds_nowhere():
    assert where_it_holds(under(), Texts()) == ""
    assert where_it_holds(under(SYSTEM, trying=(SYSTEM,)), Texts()) == ""


def test_a_ledger_shows_the_worst_system_prompt():
    found = {line.name: line for line in ledger_lines(under(SYSTEM, DEFAULT), "took")}

    assert (found["reliability"].metric.value, found["reliability"].system) == (0.0, UNRELATED)
    assert found["reliability"].missed
    assert found["generality"].metric.value is None


def test_what_one_system_prompt_alone_measures_is_shown_from_there():
    report = report_on(
        answered(OUT_OF_SCOPE, "Paris", "Paris", drift=Drift(kl_sum=1.0, agreeing=2, tokens=2), name="a"),
        answered(OUT_OF_SCOPE, "Paris", "Nova", name="a", system=""),
    )

    found = {line.name: line for line in ledger_lines(report, "kept")}

    assert (found["kl"].metric.value, found["kl"].system) == (0.5, SYSTEM)
    assert (found["leakage"].metric.value, found["leakage"].system) == (1.0, "")
