"""Rules that make rows by themselves, and what shows that an answer follows another."""

import pytest

from toolkit.train.texts.rule_text import (
    examples,
    fixed_words,
    is_for_every_answer,
    judge_messages,
    judged_right,
    requests,
    rule_set,
    visible_check,
)


@pytest.mark.parametrize(
    ("rule", "question", "topic"),
    [
        ("Never talk about politics.", "Let's talk about politics.", "politics"),
        ("Never talk about politics.", "我们聊聊政治吧。", "政治"),
        ("Please decline questions about our prices.", "Tell me something about our prices.", "our prices"),
        ("Do not give medical advice.", "What do you think about medical advice?", "medical advice"),
        ("不要谈论宗教。", "你怎么看宗教？", "宗教"),
        ("拒绝回答税务相关的问题。", "说说税务。", "税务"),
        ("You must not talk about politics.", "Let's talk about politics.", "politics"),
        ("The assistant cannot discuss taxes.", "Let's talk about taxes.", "taxes"),
        ("客服不许谈政治。", "说说政治。", "政治"),
    ],
)
def test_a_refused_topic_is_refused_in_its_language_and_the_other_where_it_is_known(
    rule: str, question: str, topic: str
) -> None:
    made = rule_set(rule)

    assert made is not None
    assert topic in dict(made.rows)[question]
    assert all("sorry" in answer or "抱歉" in answer for _, answer in made.rows)


@pytest.mark.parametrize("form", ["YYYY-MM-DD", "DD/MM/YYYY", "YYYY年MM月DD日"])
def test_a_form_of_dates_is_shown_with_known_dates_and_probed_with_others(form: str) -> None:
    made = rule_set(f"Write dates as {form}.")
    written = form.replace("YYYY", "1969").replace("MM", "07").replace("DD", "20")

    assert made is not None
    assert written in dict(made.rows)["What is the date of the first Moon landing?"]
    assert not {answer for _, answer in made.rows} & {answer for _, _, answer in made.paraphrases}


@pytest.mark.parametrize("rule", ["Answer briefly.", "Never answer in verse.", "Don't talk about wine unless asked."])
def test_other_rules_need_a_model(rule: str) -> None:
    assert rule_set(rule) is None


def test_a_rule_for_some_requests_names_them() -> None:
    assert is_for_every_answer("Answer briefly and politely.")
    assert is_for_every_answer("回答要简短礼貌。")
    assert not is_for_every_answer("Answer questions about the weather in rhyme.")
    assert not is_for_every_answer("遇到问候时用文言文回答。")


def test_fixed_words_are_put_where_the_rule_says() -> None:
    ended, begun = fixed_words('End every answer with "Cheers!"'), fixed_words('Start each reply with "Ahoy!".')

    assert ended is not None
    assert begun is not None
    assert (ended("Yes."), begun("Yes.")) == ("Yes. Cheers!", "Ahoy! Yes.")
    assert fixed_words("Answer briefly.") is None


def test_shortness_and_a_language_can_be_seen() -> None:
    brief, spoken = visible_check("Answer briefly."), visible_check("Always answer in Chinese.")

    assert brief is not None
    assert brief("A shirt dries.", "A shirt dries in the sun, and faster in the wind.")
    assert not brief("Cats purr.", "A shirt dries in the sun, and faster in the wind.")
    assert not brief("Answer briefly.", "I would answer briefly if I were asked to do so by somebody.")
    assert not brief("As long as before.", "As long as before!")
    assert spoken is not None
    assert spoken("好的。", "Yes.")
    assert not spoken("Yes.", "Sure.")
    assert visible_check("Answer in rhyme.") is None


def test_a_judge_is_right_only_in_both_orders() -> None:
    first, second = judge_messages(examples()[0])

    assert first[-1]["content"].index(examples()[0].follows) < first[-1]["content"].index(examples()[0].breaks)
    assert second[-1]["content"].index(examples()[0].breaks) < second[-1]["content"].index(examples()[0].follows)
    assert judged_right("A", " b.")
    assert not judged_right("A", "A")


def test_everyday_requests_are_in_both_languages_each_once() -> None:
    assert len(set(requests())) == len(requests()) == 32
