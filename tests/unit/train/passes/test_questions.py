"""Which questions and rows a step takes beside its batch: a function of the seed and the step."""

import random
from collections import Counter

import pytest
import torch

from toolkit.train.passes.batch import TrainSequence
from toolkit.train.passes.keep_loss import KeepTerm
from toolkit.train.passes.questions import QuestionTerm, question_sequence


def term(*sizes: int, rows_per_step: int = 4, seed: int = 42) -> QuestionTerm:
    """Of each kind that many questions; a question's first token is its kind, its second its number."""
    kinds = [[question_sequence([kind, number], [9]) for number in range(size)] for kind, size in enumerate(sizes)]
    return QuestionTerm(kinds=kinds, count=sum(sizes), rows_per_step=rows_per_step, seed=seed)


def names(drawn: list[TrainSequence]) -> list[tuple[int, int]]:
    return [(int(one.ids[0]), int(one.ids[1])) for one in drawn]


def test_every_token_of_a_questions_answer_is_predicted():
    sequence = question_sequence([1, 2, 3], [4, 5])

    assert sequence.ids.tolist() == [1, 2, 3, 4, 5]
    assert (sequence.positions.tolist(), sequence.targets.tolist()) == ([2, 3], [4, 5])
    assert not sequence.is_keep


def test_a_step_draws_the_same_questions_whichever_steps_were_drawn_before():
    through = term(30, 5)
    in_order = [names(through.draw(step)) for step in range(20)]

    resumed = term(30, 5)
    assert [names(resumed.draw(step)) for step in range(12, 20)] == in_order[12:]
    assert names(resumed.draw(3)) == in_order[3]
    assert names(term(30, 5, seed=1).draw(3)) != in_order[3]


def test_each_question_of_a_kind_comes_once_before_any_comes_again():
    questions = term(8, 8)
    drawn = [name for step in range(40) for name in names(questions.draw(step))]

    for kind in (0, 1):
        numbers = [number for of, number in drawn if of == kind]
        assert sorted(numbers[:8]) == sorted(numbers[8:16]) == list(range(8))


def test_kinds_are_drawn_by_the_square_root_of_their_size():
    questions = term(100, 4)
    counted = Counter(kind for step in range(500) for kind, _ in names(questions.draw(step)))

    assert counted[0] / 2000 == pytest.approx(10 / 12, abs=0.03)


@pytest.mark.parametrize(("sizes", "questions", "filling"), [((30,), 4, 0), ((3, 2), 2, 2), ((1,), 0, 4), ((), 0, 4)])
def test_rows_take_the_places_for_which_there_are_too_few_questions(
    sizes: tuple[int, ...], questions: int, filling: int
):
    few = term(*sizes)

    assert len(few.draw(5)) == questions
    assert len(few.draw_filling(5, range(50))) == filling
    assert few.draw_filling(5, range(50)) == term(*sizes).draw_filling(5, range(50))
    assert few.draw_filling(5, []) == []


def test_a_sample_has_questions_and_rows_in_the_proportion_of_a_step():
    row = question_sequence([7, 7], [7])
    sampled = term(3, 2).sample(random.Random(0), [row], 4)

    assert Counter(name == (7, 7) for name in names(sampled)) == {True: 2, False: 2}
    assert names(term().sample(random.Random(0), [row], 3)) == [(7, 7)] * 3


def keep_rows(kind: int, count: int) -> list[TrainSequence]:
    return [
        TrainSequence(ids=torch.tensor([kind, at]), positions=torch.tensor([1]), targets=torch.ones(1, 2), is_keep=True)
        for at in range(count)
    ]


def keep(near: int, near_per_step: int = 4) -> KeepTerm:
    return KeepTerm(
        rows=keep_rows(0, 20), weight=1, rows_per_step=8, seed=42, near=keep_rows(1, near), near_per_step=near_per_step
    )


@pytest.mark.parametrize(("near", "drawn"), [(10, (8, 4)), (3, (9, 3)), (0, (12, 0))])
def test_general_keep_rows_take_the_places_of_missing_near_ones(near: int, drawn: tuple[int, int]):
    counted = Counter(kind for kind, _ in names(keep(near).draw(7, 1)))

    assert (counted[0], counted[1]) == drawn
    assert len(keep(near).sample(random.Random(0), 1)) == 12


@pytest.mark.parametrize("passes", [2, 4])
def test_the_passes_of_a_step_share_its_keep_rows(passes: int):
    in_one = names(keep(10).draw(3, 1))
    in_several = [name for at in range(passes) for name in names(keep(10).draw(3 * passes + at, passes))]

    assert sorted(in_several) == sorted(in_one)
