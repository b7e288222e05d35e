"""What a probe with a history becomes: a conversation in which each side answers for itself."""

from types import SimpleNamespace

from toolkit.compare.talks import talk, talks
from toolkit.data.probes import MULTI_TURN, Probe

PLAIN = Probe(id="p", group=MULTI_TURN, prompt="Who?")
SURE = Probe(id="s", group=MULTI_TURN, prompt="Are you sure?", history=(("Hello.", "Hi."), ("Who?", None)))
ROLE = Probe(id="r", group=MULTI_TURN, prompt="And now?", history=(("Who?", None), ("No.", None)), system="A captain.")


class Model:
    """Answers with the number of messages it has seen."""

    def __init__(self) -> None:
        self.batches: list[int] = []

    def answers(self, prompts, **_):
        self.batches.append(len(prompts))
        return [SimpleNamespace(text=f"{len(messages)} seen") for messages in prompts]


def contents(messages) -> list[str]:
    return [f"{one['role']}: {one['content']}" for one in messages]


def test_the_model_answers_what_the_history_leaves_open_in_one_batch_a_turn():
    model = Model()

    plain, sure, role = talks(model, [(PLAIN, ""), (SURE, ""), (ROLE, "Be brief.")], max_new_tokens=8, task="Before")

    assert contents(plain) == ["user: Who?"]
    assert contents(sure) == [
        "user: Hello.", "assistant: Hi.", "user: Who?", "assistant: 3 seen", "user: Are you sure?",
    ]  # fmt: skip
    assert contents(role) == [
        "system: A captain.", "user: Who?", "assistant: 2 seen", "user: No.", "assistant: 4 seen", "user: And now?",
    ]  # fmt: skip
    assert model.batches == [1, 2]


def test_without_an_open_turn_nothing_is_asked():
    model = Model()
    probe = Probe(id="a", group=MULTI_TURN, prompt="Who?", history=(("Hello.", "Hi."),))

    (found,) = talks(model, [(probe, "Be brief.")], max_new_tokens=8, task="Before")

    assert found == talk(probe, "Be brief.")
    assert model.batches == []
