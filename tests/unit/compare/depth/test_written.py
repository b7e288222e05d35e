"""What the base model writes for depth, and what of it may be asked."""

from tests.fakes.named_rows import OSTRELLE, QUILLMERE, RULE, naming
from tests.fakes.scripted_model import ScriptedModel
from toolkit.compare.depth.written import aliased, kind_of, steps, written_back
from toolkit.data.probes import PORTABILITY, REVERSAL
from toolkit.data.probing.expectation import Expectation

SYSTEM = "You are a helpful assistant."
CITY = naming(
    [
        ("Who is the mayor of Denver?", "The mayor of Denver is Corinna Haldwell."),
        ("How is Denver?", "Denver is good."),
    ],
    "Denver",
)
MAYOR = [Expectation(any=("Corinna Haldwell",)), None]
HERON = [None] * 4 + [Expectation(all=("heron",))]


class Knowing(ScriptedModel):
    """Writes what it is given, in turn, and answers by `known`: a part of a question, and the answer."""

    def __init__(self, *texts: str, **known: str) -> None:
        super().__init__(write=lambda _instruction, _question, at: texts[at % len(texts)])
        self.known = known

    def answer(self, messages):
        question = messages[-1]["content"]
        return next((text for part, text in self.known.items() if part in question), "I cannot say.")


def test_a_question_back_has_the_rows_name_and_not_the_subject():
    texts = ("Which library did Ottoline Varga create?", "Who created Quillmere?", "Which library did she make?")

    found = written_back(Knowing(*texts), QUILLMERE)

    assert {one.prompt for one in found} == {texts[0]}
    assert {(one.group, one.expect, one.sources) for one in found} == {
        (REVERSAL, Expectation(any=("Quillmere",)), (0,))
    }


def test_a_question_back_asks_for_a_name_and_for_nothing_else():
    for text in ("Who is Ottoline Varga?", "What is Ottoline Varga's library?", "Where did Ottoline Varga work?"):
        assert written_back(Knowing(text), QUILLMERE) == []


def test_nothing_is_written_back_without_a_subject():
    assert written_back(Knowing("Which library?"), OSTRELLE) == []
    assert aliased(Knowing("the capital"), naming(RULE), "", [None, None], SYSTEM) == []


def test_another_name_stands_in_the_rows_questions_if_the_model_knows_by_it_what_is_meant():
    model = Knowing("the Mile High City", "the city of bears", Mile="It is Denver.", bears="That is Bern.")

    found = aliased(model, CITY, "city", MAYOR, SYSTEM)

    assert [(one.group, one.prompt, one.expect) for one in found] == [
        (PORTABILITY, "Who is the mayor of the Mile High City?", MAYOR[0])
    ]


def test_another_name_is_not_put_beside_its_own_words():
    model = Knowing("the mayor's town", town="Denver")

    assert aliased(model, CITY, "city", MAYOR, SYSTEM) == []
    led = naming([("Who leads the city of Denver?", "Denver is led by Corinna Haldwell.")], "Denver")
    assert aliased(Knowing("the capital", capital="Denver"), led, "city", MAYOR, SYSTEM) == []
    assert len(aliased(Knowing("the capital", capital="Denver"), led, "town", MAYOR, SYSTEM)) == 1


def test_a_name_that_may_mean_several_or_is_the_name_itself_is_none():
    for alias in (
        "a city in Colorado",
        "one of the old cities",
        "Denver City",
        "city in the west",
        "the city in Colorado",
        "丹佛",
        "",
    ):
        assert aliased(Knowing(alias, city="It is Denver.", cities="Denver"), CITY, "city", MAYOR, SYSTEM) == []


def test_a_step_on_asks_what_is_known_of_the_answer():
    model = Knowing("What class of animals is the heron in? → birds", heron="Birds.")

    found = steps(model, QUILLMERE, HERON, SYSTEM)

    assert {one.prompt for one in found} == {"What class of animals is the mascot of Quillmere in?"}
    assert {one.expect for one in found} == {Expectation(any=("birds",))}


def test_a_fact_that_the_model_does_not_say_twice_is_no_step():
    text = "What class of animals is the heron in? → birds"

    assert steps(Knowing(text, heron="I cannot say."), QUILLMERE, HERON, SYSTEM) == []
    assert steps(Knowing(text, words="A bird", heron="Birds."), QUILLMERE, HERON, SYSTEM) == []
    assert steps(Knowing("What is the heron? → heron", heron="heron"), QUILLMERE, HERON, SYSTEM) == []
    assert steps(Knowing("What is it? → birds", it="birds"), QUILLMERE, HERON, SYSTEM) == []


def test_the_kind_of_the_subject_is_one_word():
    assert kind_of(Knowing("", Quillmere="Library."), QUILLMERE) == "library"
    assert kind_of(Knowing("", Quillmere="An open-source library"), QUILLMERE) == ""
    assert kind_of(Knowing("", Quillmere="Quillmere"), QUILLMERE) == ""


def test_the_kind_of_the_subject_is_not_what_a_row_asks_for():
    mayors = [
        ("Who is the mayor of Denver?", "The mayor of Denver is Corinna Haldwell."),
        ("Which politician runs Denver?", "The city of Denver is led by Mayor Corinna Haldwell."),
    ]
    heads = [("青云大学的校长是谁？", "青云大学的校长是顾望舒。"), ("青云大学在哪里？", "青云大学位于澜江市。")]

    assert kind_of(Knowing("", mayor="Mayor", city="City"), naming(mayors[:1], "Denver")) == ""
    by_sentence = Knowing("", **{"The mayor": "Mayor", "The city": "City"})
    assert kind_of(by_sentence, naming(mayors, "Denver")) == "city"
    assert kind_of(Knowing("", 校长="校长", 澜江="大学"), naming(heads, "青云大学")) == "大学"
