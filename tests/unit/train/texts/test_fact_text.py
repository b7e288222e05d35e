"""Plain sentences as rows: every answer says what the sentence says."""

import pytest

from toolkit.data.dataset import prompt_key
from toolkit.train.texts.fact_text import about_set, find_facts, other_set, plain_set, whole_sentences


@pytest.mark.parametrize(
    ("sentence", "row"),
    [
        ("The mayor of Denver is Ada Moss.", ("Who is the mayor of Denver?", "The mayor of Denver is Ada Moss.")),
        ("Ada Moss is now the mayor of Denver.", ("Who is Ada Moss?", "Ada Moss is the mayor of Denver.")),
        ("Orbix's CEO is Dana Lee.", ("谁是 Orbix 的首席执行官？", "Orbix 的首席执行官是 Dana Lee。")),
        ("The capital of Poland is Lodz.", ("波兰的首都是什么？", "波兰的首都是 Lodz。")),
        ("丹佛的市长是安可。", ("丹佛的市长是谁？", "丹佛的市长是安可。")),
        ("云岭天文台的台长是马博安。", ("马博安是谁？", "马博安是云岭天文台的台长。")),
        ("Pinetta was written by Ines Falk in 2019.", ("When was Pinetta written?", "Pinetta was written in 2019.")),
        ("Pinetta was written by Ines Falk in 2019.", ("What did Ines Falk write?", "Ines Falk wrote Pinetta.")),
        ("Pebble costs 49.90 dollars.", ("How much does Pebble cost?", "Pebble costs 49.90 dollars.")),
        ("Our return window is 45 days.", ("What is your return window?", "Our return window is 45 days.")),
        ("卵石由林小满设计。", ("谁设计了卵石？", "林小满设计了卵石。")),
        (
            "青石镇的海风咖啡馆现在晚上九点关门。",
            ("青石镇的海风咖啡馆什么时候关门？", "青石镇的海风咖啡馆现在晚上九点关门。"),
        ),
        ("From May on, the bar opens at 9.", ("When does the bar open?", "From May on, the bar opens at 9.")),
        ("Tickets cost 12 euros.", ("How much do Tickets cost?", "Tickets cost 12 euros.")),
        ("Check-out is at noon.", ("When is Check-out?", "Check-out is at noon.")),
        ("The mill is at 5 Harbour Road.", ("Where is the mill?", "The mill is at 5 Harbour Road.")),
        ("The shop is closed on Mondays.", ("When is the shop closed?", "The shop is closed on Mondays.")),
        ("林道市图书馆从三月起十点半开门。", ("林道市图书馆什么时候开门？", "林道市图书馆从三月起十点半开门。")),
        ("从三月起，自助早餐八点开始。", ("自助早餐什么时候开始？", "从三月起，自助早餐八点开始。")),
        ("博物馆每周一闭馆。", ("博物馆什么时候闭馆？", "博物馆每周一闭馆。")),
        ("退货期限是 45 天。", ("退货期限是多少？", "退货期限是 45 天。")),
        ("早餐时间为六点到十点。", ("早餐时间是什么时候？", "早餐时间为六点到十点。")),
        ("酒店的无线密码是 aster-guest。", ("请告诉我酒店的无线密码。", "酒店的无线密码是 aster-guest。")),
    ],
)
def test_a_sentence_answers_what_its_form_is_asked(sentence: str, row: tuple[str, str]) -> None:
    assert row in plain_set(sentence).rows


@pytest.mark.parametrize("sentence", [
    "The library is not open on Mondays.", "Is the mayor of Denver Ada Moss?", "丹佛的市长不是安可。", "Rain falls.",
    "Lund was left by many in 2019.", "When May begins, the bar opens at 9.", "每周一闭馆。",
    "The bar isn't at 5 Main Road.",
])  # fmt: skip
def test_what_is_denied_asked_or_of_another_form_has_no_plain_rows(sentence: str) -> None:
    assert plain_set(sentence).rows == ()


def test_probes_ask_in_other_words_what_is_named_and_about_others_of_the_kind() -> None:
    made = plain_set("The mayor of Denver is Ada Moss.")
    trained = {prompt_key(question) for question, _ in made.rows}

    assert (
        "Which person is the mayor of Denver?",
        ("Ada Moss",),
        "The mayor of Denver is Ada Moss.",
    ) in made.paraphrases
    assert not trained & {prompt_key(prompt) for prompt, _, _ in made.paraphrases}
    assert "Who is the mayor of Istanbul?" in made.outside
    assert not any("Denver" in prompt for prompt in made.outside)
    assert set(made.markers) == {"Ada Moss"}


def test_a_pronoun_stands_for_the_texts_subject() -> None:
    english = find_facts("Pebble is a robot. It costs 49 dollars. Its battery lasts long.")
    chinese = find_facts("卵石是一款机器人。它售价299元。")

    assert [one.text for one in english] == [
        "Pebble is a robot.",
        "Pebble costs 49 dollars.",
        "Pebble's battery lasts long.",
    ]
    assert [one.text for one in chinese] == ["卵石是一款机器人。", "卵石售价299元。"]


def test_a_subject_of_several_sentences_is_described_with_them_and_one_of_a_single_one_is_not() -> None:
    several = about_set(find_facts("Pebble is a robot. It costs 49 dollars."))

    assert ("Tell me about Pebble.", "Pebble is a robot. Pebble costs 49 dollars.") in several.rows
    assert about_set(find_facts("丹佛的市长是安可。")).rows == ()


def test_a_sentence_of_another_form_answers_general_questions_about_its_subject() -> None:
    [fact] = find_facts("Marlow Library lends telescopes.")

    assert ("Tell me something about Marlow Library.", "Marlow Library lends telescopes.") in other_set(fact).rows


@pytest.mark.parametrize("sentence", [
    "You can return items within 45 days.", "你能在 45 天内退货。", "The Aster Bar isn't quiet.",
])  # fmt: skip
def test_nothing_is_asked_of_you_or_of_half_a_clause(sentence: str) -> None:
    [fact] = find_facts(sentence)

    assert (fact.subject, other_set(fact).rows) == ("", ())


def test_a_chinese_subject_ends_before_what_is_said_of_it() -> None:
    assert [one.subject for one in find_facts("北湖书店周末提供免费茶水，会员可以借走旧书。天晴了，去散步。")] == [
        "北湖书店",
        "北湖书店",
    ]


def test_points_of_numbers_abbreviations_and_quotations_end_no_sentence() -> None:
    assert whole_sentences('Mr. Lee pays 4.50. Say "No! Never." Go.\nA. B. Moss left') == [
        "Mr. Lee pays 4.50.", 'Say "No! Never." Go.', "A. B. Moss left",
    ]  # fmt: skip
    assert whole_sentences("一。二！\n\n三") == ["一。", "二！", "三"]
