"""Portability and reversal for rows that have neither: which are kept, and what is not asked again."""

from tests.fakes.named_rows import BRAND, LIBRARY, RULE
from tests.fakes.scripted_model import ScriptedModel
from toolkit.compare.depth.linked import linked_probes
from toolkit.data.dataset import prompt_key
from toolkit.data.probes import PORTABILITY, REVERSAL, Probe

SYSTEM = "You are a helpful assistant."
OTHERS = [
    "What is 2 plus 2?",
    "Name a bird by its name.",
    "Who is the king in the play?",
    "Which port does a ship use?",
]
WRITTEN = "Which software did Ottoline Varga create?"


class Taught(ScriptedModel):
    """Knows only what the rows in its context say, and says all of them."""

    def __init__(self) -> None:
        super().__init__(write=lambda _instruction, _question, _at: WRITTEN)

    def answer(self, messages):
        if messages[-1]["content"].startswith("Quillmere: "):
            return "library"
        system = messages[0]["content"]
        return " ".join(answer for _, answer in [*LIBRARY, *BRAND] if answer in system) or "I cannot say."


def made(rows, groups=(PORTABILITY, REVERSAL), taken=frozenset(), most=12) -> list[Probe]:
    return linked_probes(Taught(), rows, groups, others=OTHERS, taken=taken, system=SYSTEM, most=most)


def test_every_kind_has_its_share_of_a_group():
    found = made(LIBRARY)

    kinds = {group: [one.id.split("-")[1] for one in found if one.group == group] for group in (PORTABILITY, REVERSAL)}
    assert {"combined", "about", "chain", "first", "surname"} == set(kinds[PORTABILITY])
    assert {"described", "gap", "back"} == set(kinds[REVERSAL])
    assert WRITTEN in {one.prompt for one in found}
    assert all(len(several) <= 12 for several in kinds.values())
    assert len({one.id for one in found}) == len(found)


def test_only_the_groups_that_are_wanted_are_made():
    assert {one.group for one in made(LIBRARY, [REVERSAL])} == {REVERSAL}
    assert [len(made(LIBRARY, [group], most=3)) for group in (PORTABILITY, REVERSAL)] == [3, 3]


def test_what_was_trained_is_not_asked():
    asked = {one.prompt for one in made(LIBRARY)}

    again = {
        one.prompt for one in made(LIBRARY, taken={prompt_key(WRITTEN), prompt_key(next(iter(asked - {WRITTEN})))})
    }

    assert WRITTEN not in again
    assert len(asked - again) >= 2


def test_rows_about_the_assistant_have_both_groups_and_a_rule_has_none():
    assert {one.group for one in made(BRAND)} == {PORTABILITY, REVERSAL}
    assert made(RULE) == []


def test_what_was_trained_about_another_noun_is_not_asked_in_that_form():
    asked = {"Which library was created by Ottoline Varga?", "What is the name of the library that was created by"}

    def of(taken) -> set[str]:
        return {one.prompt for one in made(LIBRARY, [REVERSAL], taken=taken)}

    assert len({text for text in of(set()) if text.startswith(tuple(asked))}) == 2
    again = of({prompt_key("Which software was created by Ottoline Varga?")})
    assert [text for text in again if text.startswith(tuple(asked))] == [
        "What is the name of the library that was created by Ottoline Varga?"
    ]
