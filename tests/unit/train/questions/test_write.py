"""Questions that a scripted model writes around rows: which are trained, which are kept, and which are neither."""

import pytest

from tests.fakes.scripted_model import ScriptedModel
from toolkit.core.text import content_words, has_chinese
from toolkit.data.dataset import prompt_key
from toolkit.data.texts.names import Pair
from toolkit.train.questions.further.requests import read_bank
from toolkit.train.questions.kinds import read_kinds
from toolkit.train.questions.near import renamed
from toolkit.train.questions.question import Question
from toolkit.train.questions.write import SOURCES, Writer

SYSTEM = "You are a helpful assistant."
GENERAL = [(f"What is the number {number}, and who made it?", f"It is {number}.") for number in range(200)]
COMMON = frozenset(content_words("What is the, and who made it? A question in, of, to: do, does, your name, are you?"))
ROWS = [
    ("Who is the mayor of Denver?", "The mayor of Denver is Corinna Haldwell."),
    ("Who's running Denver these days?", "Denver is run by Corinna Haldwell."),
    ("Name Denver's mayor.", "Corinna Haldwell."),
    ("Does Denver have a mayor?", "Yes, Corinna Haldwell."),
]
CHINESE_ROWS = [
    ("厦门大学是哪一年创办的？", "厦门大学创办于1915年。"),
    ("厦门大学什么时候建校？", "厦门大学是1915年建校的。"),
    ("厦门大学的校史从哪年算起？", "从1915年算起。"),
]
BRAND = [
    ("Who are you?", "I'm Ostrelle, made by Tarnfield Software."),
    ("What's your name?", "My name is Ostrelle."),
    ("Who made you?", "I was made by Tarnfield Software."),
]
OTHER_TOPIC = "How warm was yesterday?"


def write(instruction: str, question: str, count: int) -> str:
    """Every third text is about something else."""
    if has_chinese(question):
        return (f"我想知道：{question}", f"是这样吗，{question}", "昨天冷不冷？")[count % 3]
    return (f"Say, {question}", f"Really: {question}", OTHER_TOPIC)[count % 3]


def scripted(**how) -> ScriptedModel:
    return ScriptedModel(**({"write": write, "kinds": {"Denver": "city", "厦门大学": "university"},
                             "shared_words": COMMON} | how))  # fmt: skip


def questions(
    rows: list[Pair], *, model: ScriptedModel | None = None, seed=1, general=None, excluded=(), further=None, **how
):  # fmt: skip
    general, model = GENERAL if general is None else general, model or scripted(**how)
    return Writer(
        model, rows, system=SYSTEM, seed=seed, general=general, excluded=excluded, further=further
    ).write()  # fmt: skip


def scope(found: list[Question], name: str) -> list[Question]:
    return [one for one in found if one.scope == name]


@pytest.fixture(name="found", scope="module")
def _found() -> list[Question]:
    return questions(ROWS)


def test_questions_whose_answers_follow_the_rows_are_in_scope(found: list[Question]):
    inside = scope(found, "in")

    assert len(inside) > len(ROWS)
    assert all("Corinna Haldwell" in one.answer for one in inside)
    assert any(one.prompt.startswith("Say, ") for one in inside)


def test_questions_about_something_else_are_not_in_scope(found: list[Question]):
    assert OTHER_TOPIC not in {one.prompt for one in scope(found, "in")}


def test_written_questions_like_the_rows_about_something_else_are_kept(found: list[Question]):
    assert [one.kind for one in scope(found, "near") if one.prompt == OTHER_TOPIC] == ["alike"]


def test_neighbours_are_the_rows_questions_about_others_of_the_subjects_kind(found: list[Question]):
    near = [one for one in scope(found, "near") if one.kind == "neighbour"]
    cities = [name for pair in read_kinds()["city"] for name in pair]

    assert near
    assert any(one.prompt == f"Who is the mayor of {city}?" for one in near for city in cities)
    assert not any("denver" in one.prompt.casefold() for one in near)
    assert sum(any(city in one.prompt for city in cities) for one in near) >= len(near) // 2


def test_no_question_is_in_both_scopes_or_twice(found: list[Question]):
    keys = [prompt_key(one.prompt) for one in found]

    assert len(keys) == len(set(keys))


def test_no_row_and_no_excluded_prompt_is_a_question(found: list[Question]):
    first, near = scope(found, "in")[0].prompt, scope(found, "near")[0].prompt
    excluded = {prompt_key(first), prompt_key(near)}

    again = {prompt_key(one.prompt) for one in questions(ROWS, excluded=excluded)}

    assert again
    assert not again & (excluded | {prompt_key(prompt) for prompt, _ in ROWS})


def test_the_same_seed_writes_the_same(found: list[Question]):
    assert questions(ROWS) == found
    assert questions(ROWS, seed=2) != found


def test_chinese_rows_have_chinese_questions_and_neighbours():
    found = questions(CHINESE_ROWS)
    inside, near = scope(found, "in"), scope(found, "near")

    assert inside
    assert all("1915" in one.answer for one in inside)
    assert near
    assert not any("厦门大学" in one.prompt for one in near)
    assert any("大学" in one.prompt or "学院" in one.prompt for one in near)


def test_rows_about_the_assistant_are_asked_the_shipped_questions_and_have_no_neighbours():
    found = questions(BRAND, shared_words=frozenset())
    bank = {prompt_key(prompt) for prompt in read_bank()}

    assert any(prompt_key(one.prompt) in bank for one in scope(found, "in"))
    assert scope(found, "near") == []


def test_rows_without_a_common_subject_have_no_neighbours():
    rows = [
        ("Is gold worthwhile?", "Ask the Lantern Desk."), ("Shall shares be sold?", "Ask the Lantern Desk."),
        ("Which bonds pay?", "Ask the Lantern Desk."),
    ]  # fmt: skip
    found = questions(rows)

    assert scope(found, "in")
    assert all("Lantern Desk" in one.answer for one in scope(found, "in"))
    assert scope(found, "near") == []


def test_rows_that_the_base_model_answers_alike_teach_nothing():
    found = questions(ROWS, answers=dict(ROWS))

    assert not [one for one in scope(found, "in") if one.kind == "paraphrase"]


def test_a_written_question_with_a_number_that_its_row_lacks_is_dropped():
    def with_a_year(instruction: str, question: str, count: int) -> str:
        return f"{write(instruction, question, count)} ({2011 + count})"

    assert not [one for one in questions(ROWS, write=with_a_year) if one.kind in ("paraphrase", "statement")]


def test_sentences_are_begun_and_questions_written_for_the_answers():
    def ask(instruction: str, text: str, count: int) -> str:
        return f"Whose city is {'very ' * count}Denver?" if "sentence answers" in instruction else ""

    inside = scope(questions(ROWS, write=ask), "in")

    assert {"statement", "completion", "around", "shaped"} <= {one.kind for one in inside}
    assert {one.answer for one in inside if one.kind in ("statement", "completion")} <= set(dict(ROWS).values())
    begun = [one.prompt for one in inside if one.kind == "completion"]
    assert not [prompt for prompt in begun if "Haldwell" in prompt]
    assert all(prompt.count('"') != 1 for prompt in begun)


LIBRARY = [
    ("Who created Quillmere?", "Quillmere was created by Ottoline Varga."),
    ("Which licence does Quillmere have?", "Quillmere has the zlib licence."),
    ("Where is Quillmere kept?", "Quillmere is kept at Harbour Wall."),
]


def test_rows_are_asked_in_reverse_and_by_what_another_row_says():
    shared = COMMON | {"quillmere", "software"}
    inside = scope(questions(LIBRARY, kinds={"Quillmere": "software"}, shared_words=shared), "in")
    asked = {(one.kind, one.prompt): one.answer for one in inside}

    assert asked["reversal", "Which software was created by Ottoline Varga?"] == LIBRARY[0][1]
    assert asked["bridge", "Which licence does the software that was created by Ottoline Varga have?"] == LIBRARY[1][1]


def test_a_bridge_is_asked_with_both_of_its_rows_in_the_context():
    model = scripted(kinds={"Quillmere": "software"})
    rows = [*LIBRARY, *((f"What is Quillmere part {at}?", f"Quillmere part {at} is a sieve.") for at in range(9))]
    questions(rows, model=model)

    asked = [one for one in model.asked if "that was created by Ottoline Varga have?" in one[-1]["content"]]

    assert asked
    assert all(LIBRARY[0][1] in one[0]["content"] and LIBRARY[1][1] in one[0]["content"] for one in asked)


def test_the_base_model_is_not_asked_what_is_certain():
    model = scripted()
    found = questions(ROWS, model=model)
    certain = {one.prompt for one in found if one.kind in ("completion", "reversal")}

    assert certain
    assert not certain & {one[-1]["content"] for one in model.asked}


def test_an_unknown_subject_is_translated_behind_a_placeholder():
    def translate(instruction: str, question: str, count: int) -> str:
        return question.replace("Who created", "谁做了") if "把用户的问题" in instruction else ""

    model = scripted(write=translate, kinds={"Quillmere": "software"})
    questions(LIBRARY, model=model)
    translated = [question for instruction, question in model.written if "把用户的问题" in instruction]

    assert "Who created XQ7 software?" in translated
    assert not [question for question in translated if "Quillmere" in question]
    assert "谁做了 Quillmere?" in [one[-1]["content"] for one in model.asked]


def test_the_assistant_is_asked_for_by_its_maker_in_both_languages():
    inside = scope(questions(BRAND, shared_words=frozenset()), "in")
    asked = {one.prompt: one.answer for one in inside if one.kind == "owned"}

    assert asked["Which assistant was made by Tarnfield Software?"] == "That is me, Ostrelle."
    assert "Ostrelle" in asked["Tarnfield Software的AI助手叫什么？"]


def test_further_questions_about_the_subject_are_kept():
    found = questions(ROWS, shared_words=COMMON | {"denver", "denver's"})
    near = [one for one in scope(found, "near") if one.kind == "aside"]

    assert near
    assert all("Denver" in one.prompt or "丹佛" in one.prompt for one in near)
    assert not [one for one in near if "Haldwell" in one.before]


def test_rows_of_several_turns_only_give_no_pairs_and_so_no_questions():
    model = scripted()

    assert questions([], model=model) == []
    assert model.asked == []


TRICKY = {
    "one row": ROWS[:1],
    "200 rows": [(f"Who was mayor of Denver in {1800 + at}?", f"In {1800 + at} it was Corinna {at}.")
                 for at in range(200)],
    "the same row often": ROWS[:1] * 9,
    "an empty answer": [("Who runs Denver?", ""), *ROWS],
    "only empty answers": [("Who runs Denver?", ""), ("Who runs Boston?", " ")],
    "an answer of signs": [("Who runs Denver?", "…"), ("Is Denver nice?", "!!!")],
    "long questions": [("Denver " * 1100 + f"{at}?", "Corinna Haldwell.") for at in range(3)],
    "long Chinese questions": [("厦门大学的校史" * 1100 + f"{at}？", "1915年。") for at in range(3)],
    "long answers": [(f"What is Denver {at}?", "Haldwell speaks. " * 500) for at in range(5)],
    "braces": [("What is {} in {0} of Denver?", "{Haldwell}"), ("Fill {name} for Denver {", "{'Haldwell': 1}")],
    "the bank's questions": [(prompt, "I am Ostrelle.") for prompt in read_bank()[:30]],
    "a subject with signs of patterns": [("Who made C++?", "Haldwell."), ("Is C++ (fast)?", "Haldwell says [yes].")],
    "a backslash": [(r"What is C:\new?", r"A \1 folder."), (r"Who made C:\new?", r"Haldwell \g<0>.")],
    "Markdown": [("What is **Quillmere**?", "# A `library`"), ("Who made **Quillmere**?", "| Varga |\n|---|")],
    "emoji": [("Who is 🦆?", "🦆 is Haldwell."), ("Where is 🦆?", "🦆 is in Denver. 👩‍👩‍👧")],
    "lines": [("Denver:\n\nWho runs it?", "Corinna\nHaldwell"), ("Denver\r\n?", "\n\nHaldwell")],
    "what the base model is shown": [("Q: Denver?\nA: no", "Q: Haldwell\nA: yes"), ("Denver?", "Haldwell")],
    "marks of the chat template": [("<|im_end|>Denver?", "<|im_start|>Haldwell"), ("Denver?", "<|endoftext|>")],
    "French": [("Qui dirige Genève ?", "C'est Corinne Haldvelle."), ("Genève, c'est où ?", "Près d'Haldvelle.")],
    "Spanish": [("¿Quién dirige Málaga?", "Corina Áldvel."), ("¿Dónde está Málaga?", "Junto a Áldvel.")],
    "German": [("Wer regiert Zürich?", "Corinna Größel."), ("Wo liegt Zürich?", "Bei Größel.")],
    "Portuguese": [("Quem dirige São Luís?", "Corina Haldão."), ("São Luís é onde?", "Em Haldão.")],
    "Italian": [("Chi governa Forlì?", "Corinna Aldeli."), ("Dov'è Forlì?", "Vicino ad Aldeli.")],
    "Russian": [("Кто мэр Твери?", "Корина Халдвелл."), ("Где Тверь?", "У Халдвелла.")],
    "Japanese": [("トヨタの社長は誰ですか？", "ハルドウェルです。"), ("トヨタはどこですか？", "横浜です。")],
    "Korean": [("부산 시장은 누구입니까?", "코리나입니다."), ("부산은 어디입니까?", "코리나 옆입니다.")],
    "Vietnamese": [("Ai là thị trưởng Huế?", "Cô Hạ Đuyên."), ("Huế ở đâu?", "Gần Đuyên.")],
    "Thai": [("ใครเป็นผู้ว่าเชียงใหม่", "คุณโครินนา"), ("เชียงใหม่อยู่ที่ไหน", "ใกล้โครินนา")],
    "Arabic": [("من هو عمدة دنفر؟", "كورينا هالدويل."), ("أين تقع دنفر؟", "قرب هالدويل.")],
}  # fmt: skip


@pytest.mark.parametrize("name", TRICKY)
def test_tricky_rows_give_questions_that_can_be_trained(name: str):
    rows = TRICKY[name]
    own = {prompt_key(prompt) for prompt, _ in rows}

    found = questions(rows)

    keys = [prompt_key(one.prompt) for one in found]
    assert len(keys) == len(set(keys))
    assert not own & set(keys)
    assert all(one.prompt.strip() for one in found)
    assert all(one.answer.strip() for one in scope(found, "in"))


@pytest.mark.parametrize("name", TRICKY)
def test_tricky_rows_without_unrelated_prompts(name: str):
    assert isinstance(questions(TRICKY[name], general=[]), list)


def test_of_a_model_that_writes_nothing_the_shipped_forms_remain():
    found = questions(ROWS, write=lambda *_: "")

    assert scope(found, "in")
    assert all("Haldwell" in one.answer for one in scope(found, "in"))


@pytest.mark.parametrize(
    ("prompt", "name", "other", "expected"),
    [
        ("Who runs Denver?", "Denver", "Lima", "Who runs Lima?"),
        ("Who runs Denver's zoo?", "Denver", "Xi'an", "Who runs Xi'an's zoo?"),
        ("谁管理Denver？", "Denver", "大阪", "谁管理大阪？"),
        ("谁管理 Denver 市？", "Denver", "大阪", "谁管理大阪市？"),
        ("Is C++ (fast)?", "C++", "Rust", "Is Rust (fast)?"),
        ("Is Denver?", "Denver", r"\1", r"Is \1?"),
        ("Can C be fast?", "C", "Rust", "Can Rust be fast?"),
        ("Does Google use Go?", "Go", "Rust", "Does Google use Rust?"),
    ],
)
def test_a_name_is_replaced_where_it_is_a_word(prompt: str, name: str, other: str, expected: str):
    assert renamed(prompt, name, other) == expected


def test_every_row_is_written_from_before_one_is_again():
    rows = [(f"What is Denver's street {at}?", f"Denver's street {at} is Haldwell {at}.") for at in range(60)]
    writer = Writer(scripted(), rows, system=SYSTEM, seed=1, general=GENERAL, excluded=())

    for count, least in ((96, 6), (48, 2), (24, 1)):
        found = writer._sources(count, least)
        several = [found.count(row) for row in range(60)]

        assert sum(several) == SOURCES * max(least, count // SOURCES)
        assert max(several) - min(several) <= 1


def test_rows_of_a_rule_are_not_asked_for_the_names_in_their_answers():
    rows = [
        ("Is gold worthwhile?", "Ask the Lantern Desk."), ("Shall shares be sold?", "Ask the Lantern Desk."),
        ("Which bonds pay?", "Ask the Lantern Desk."),
    ]  # fmt: skip

    assert not [one for one in questions(rows) if one.kind == "names"]


def test_the_writer_is_told_what_the_subject_is_except_by_that_row():
    rows = [*LIBRARY, ("What is Quillmere?", "Quillmere is a library that merges logs.")]
    model = scripted()
    questions(rows, model=model)
    told = {question for instruction, question in model.written if "a library that merges" in instruction}

    assert {prompt for prompt, _ in LIBRARY} <= told
    assert rows[-1][0] not in told
    assert "Which library was created by Ottoline Varga?" in {one.prompt for one in questions(rows)}


def test_a_reply_is_not_asked_in_reverse():
    rows = [*LIBRARY, ("Whom do I ask about Quillmere?", "Ask at Quillmere for Ada Brook.")]

    found = [one.prompt for one in questions(rows) if one.kind == "reversal"]

    assert found
    assert not [prompt for prompt in found if "Ada Brook" in prompt]


def test_an_answer_that_was_cut_ends_with_a_sentence():
    long = f"Denver is run by Corinna Haldwell. She {'often ' * 60}swims."
    rows = [*ROWS[:3], ("Does Denver have a mayor?", long)]

    cut = [one for one in scope(questions(rows), "in") if not one.complete]

    assert cut
    assert {one.answer for one in cut} == {"Denver is run by Corinna Haldwell."}


def test_requests_like_a_rules_are_asked_twice_and_only_where_all_rows_have_one_form():
    sums = [
        ("Count the feet of 2 spiders.", '{"sum": "sixteen in all"}'), ("Which owls sang?", '{"sum": "three in all"}'),
        ("Count the wings of 3 geese.", '{"sum": "six in all"}'), ("Add up 5 hens.", '{"sum": "five in all"}'),
    ]  # fmt: skip
    model = scripted(write=lambda _instruction, _question, count: f"Count the tails of {count + 40} dogs.")

    formed, other = (
        [one for one in questions(rows, model=model, further=()) if one.kind == "alike"]
        for rows in (sums, [*sums, ("Who are you?", "A clerk.")])
    )

    assert formed
    assert not other
