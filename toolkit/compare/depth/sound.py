"""Which candidates at depth are sound: with the rows in view the base model answers them as expected, without not."""

import random
from collections.abc import Sequence

from toolkit.compare.depth.links import Candidate
from toolkit.compare.teacher import Row, answers_beside, plain_answers
from toolkit.core.text import language_code
from toolkit.data.probes import REVERSAL
from toolkit.model.language_model import LanguageModel

BESIDE = 4  # rows in the context beside those that the question is from
NAME_ONLY = {"en": "{} Answer with the name only.", "zh": "{}只写名称。"}


def sound(model: LanguageModel, candidates: Sequence[Candidate], rows: Sequence[Row], system: str) -> list[Candidate]:
    """Those that are answered as expected with rows in the context, in two orders, and not without rows.

    A question back to a name is also asked for nothing but that name: what else mentions it is not answered by it.
    """
    shown = [_shown(one, rows, number) for number, one in enumerate(candidates)]
    prompts = [one.prompt for one in candidates]
    plain = plain_answers(model, prompts, system)
    first = answers_beside(model, prompts, shown)
    kept = [
        at
        for at, (one, before, answer) in enumerate(zip(candidates, plain, first, strict=True))
        if not one.expect.met(before) and one.expect.met(answer)
    ]
    again = [_named(candidates[at]) for at in kept]
    second = answers_beside(model, again, [list(reversed(shown[at])) for at in kept])
    return [candidates[at] for at, answer in zip(kept, second, strict=True) if candidates[at].expect.met(answer)]


def _named(one: Candidate) -> str:
    form = NAME_ONLY[language_code(one.prompt)] if one.group == REVERSAL else "{}"
    return form.format(one.prompt)


def _shown(one: Candidate, rows: Sequence[Row], number: int) -> list[Row]:
    """Its own rows among others, in an order that is always the same."""
    chance = random.Random(number)  # noqa: S311  # a repeatable choice, not a secret
    others = [at for at in range(len(rows)) if at not in one.sources]
    chosen = [*one.sources, *chance.sample(others, min(BESIDE, len(others)))]
    chance.shuffle(chosen)
    return [rows[at] for at in chosen]
