"""Sound probes: the rows let the base model answer as expected, in both orders, and nothing else does."""

from collections.abc import Callable

from tests.fakes.named_rows import LIBRARY
from tests.fakes.scripted_model import ScriptedModel
from toolkit.compare.depth.links import Candidate
from toolkit.compare.depth.sound import BESIDE, sound
from toolkit.data.probes import PORTABILITY, REVERSAL
from toolkit.data.probing.expectation import Expectation

SYSTEM = "You are a helpful assistant."
ANSWER = "Quillmere was created by Ottoline Varga."
BACK = Candidate(
    group=REVERSAL, kind="back", prompt="Which library is by Ottoline Varga?", expect=Expectation(any=("Quillmere",)),
    sources=(0,),
)  # fmt: skip
ON = Candidate(
    group=PORTABILITY, kind="first", prompt="What is her first name?", expect=Expectation(any=("Ottoline",)),
    sources=(0,),
)  # fmt: skip


class Answering(ScriptedModel):
    """`says`: by the system message and the question."""

    def __init__(self, says: Callable[[str, str], str]) -> None:
        super().__init__()
        self.says = says

    def answer(self, messages):
        return self.says(messages[0]["content"], messages[-1]["content"])


def kept(says: Callable[[str, str], str]) -> list[Candidate]:
    return sound(Answering(says), [BACK, ON], LIBRARY, SYSTEM)


def test_what_the_rows_alone_answer_is_sound():
    assert kept(lambda system, _: ANSWER if ANSWER in system else "I cannot say.") == [BACK, ON]


def test_what_the_base_model_says_by_itself_is_not_asked():
    assert kept(lambda _, __: ANSWER) == []


def test_what_hangs_on_the_order_of_the_rows_is_not_asked():
    def says(system: str, _question: str) -> str:
        first = min((row for row in LIBRARY if row[1] in system), key=lambda row: system.index(row[1]), default=None)
        return ANSWER if first is not None and first[0] < "Who m" else "I cannot say."

    orders = []
    kept(lambda system, _: orders.append(system) or ANSWER if ANSWER in system else "")

    assert len(orders) == 4
    assert {tuple(sorted(row[1] in system for row in LIBRARY)) for system in orders} == {(True,) * len(LIBRARY)}
    assert [system.split("\n\n")[1:] for system in orders[2:]] == [
        list(reversed(system.split("\n\n")[1:])) for system in orders[:2]
    ]
    assert len(kept(says)) < len([BACK, ON])


def test_a_question_back_has_to_ask_for_the_name_itself():
    def says(system: str, question: str) -> str:
        if ANSWER not in system:
            return "I cannot say."
        return "An oceanographer." if question.endswith("Answer with the name only.") else ANSWER

    assert kept(says) == [ON]


def test_the_rows_that_a_question_is_from_are_in_view_among_others():
    many = [*LIBRARY, *((f"What is {at}?", f"{at}.") for at in range(100, 140))]
    seen = []
    sound(Answering(lambda system, _: seen.append(system) or ""), [BACK], many, SYSTEM)

    assert ANSWER in seen[1]
    assert sum(answer in seen[1] for _, answer in many) == BESIDE + 1
