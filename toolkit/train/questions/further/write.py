"""Writes further candidates around the rows, beside those of the writer: other manners, tasks, claims, several rows."""

import random
from collections.abc import Callable, Collection, Iterator, Sequence

from toolkit.data.texts.defining import defined, defining
from toolkit.data.texts.terms import units
from toolkit.model.conversation import Messages
from toolkit.train.questions.candidates import Candidate, bare_question
from toolkit.train.questions.further.claims import about_claim, claimed, wrong_of
from toolkit.train.questions.further.foreign import Foreign
from toolkit.train.questions.further.requests import further_messages, read_bank, read_requests, strays
from toolkit.train.questions.further.several import several
from toolkit.train.questions.requests import background
from toolkit.train.questions.scope import Scope
from toolkit.train.questions.written import fits

# What only a rule has. Where one of them is asked for, a rule also has translations and reworded ones.
OF_A_RULE = ("alike", "within")
KINDS = ("reworded", "task", "claim", "several", "translation", "assistant", *OF_A_RULE)
COUNTS = {"reworded": (144, 2), "task": (144, 1)}  # questions of all rows and manners, and least of each
WRONG_SAMPLES = 3  # attempts at a wrong sentence of each row
CLAIMS = 3  # questions about each wrong sentence; of the right one as many
MOST_SAMPLES = 6  # of one row and manner
MOST_CLAIMS = 3  # wrong sentences of a row
TRANSLATED = 96  # of what was written, put into the other language
TRANSLATED_KINDS = ("paraphrase", "reworded", "statement")

Sampled = Callable[[Sequence[Messages]], list[str]]


def further_candidates(
    kinds: Collection[str], scope: Scope, found: Sequence[Candidate], foreign: Foreign, sampled: Sampled,
    chance: random.Random,
) -> Iterator[Candidate]:  # fmt: skip
    """Those of these `kinds`. `found`: what there is."""
    if not (scope.itself or scope.subject):  # a rule's answers are not in its rows: see rule_questions.py
        return
    if "assistant" in kinds and scope.itself:
        yield from (Candidate("assistant", prompt, None) for prompt in read_bank("more"))
    written = [*found]
    for kind in COUNTS:
        if kind in kinds:
            more = list(_of_manners(kind, scope, sampled, chance))
            written += more
            yield from more
    if "claim" in kinds:
        yield from _claims(scope, sampled, chance)
    if "several" in kinds:
        yield from (Candidate("several", prompt, None, answer=answer) for prompt, answer in several(scope, chance))
    if "translation" in kinds:
        yield from translated_candidates(
            [one for one in written if one.kind in TRANSLATED_KINDS], TRANSLATED, foreign, sampled, chance
        )


def _of_manners(kind: str, scope: Scope, sampled: Sampled, chance: random.Random) -> Iterator[Candidate]:
    """Written from the rows' questions; a number or a new word of the answer in one would give it away."""
    count, least = COUNTS[kind]
    rows = list(range(len(scope.rows)))
    chance.shuffle(rows)
    manners = list(read_requests()[kind])
    several = min(len(rows), max(1, count // (least * len(manners))))
    total = several * len(manners) * min(MOST_SAMPLES, max(least, count // (several * len(manners))))
    # Of many rows each in one manner, before one in another.
    rounds = (divmod(at, len(rows)) for at in range(total))
    wanted = [(rows[at], manners[(done + at) % len(manners)]) for done, at in rounds]
    about = defined(scope.rows, scope.subject) if scope.subject else None
    texts = sampled(
        [further_messages(kind, manner, scope.rows[row][0], background(defining(about, row))) for row, manner in wanted]
    )
    for (row, _), text in zip(wanted, texts, strict=True):
        question, answer = scope.rows[row]
        if fits(scope, kind, row, text) and _asks_alike(scope, question, text) and not scope.gives_away(row, text):
            yield Candidate(kind, bare_question(text), row, hint=answer.strip() if kind == "task" else "")


def _asks_alike(scope: Scope, question: str, text: str) -> bool:
    """Whether it is about what the row's question is about, and has nothing of the examples: small models stray."""
    if strays(question, text):
        return False
    return scope.itself or bool(units(text) & (units(question) - units(scope.subject)))


def _claims(scope: Scope, sampled: Sampled, chance: random.Random) -> Iterator[Candidate]:
    """Wrong sentences to correct, and as many right ones, so that neither answer is the usual one."""
    rows = claimed(scope)
    wanted = [row for row in rows for _ in range(WRONG_SAMPLES)]
    texts = sampled([further_messages("wrong", "plain", rows[row]) for row in wanted])
    wrong: dict[int, dict[str, None]] = {}
    for row, text in zip(wanted, texts, strict=True):
        if one := wrong_of(scope, row, text):
            wrong.setdefault(row, {})[one] = None
    for row, several_of in wrong.items():
        answer, first = rows[row], chance.randrange(CLAIMS)
        pairs = [
            pair
            for at, claim in enumerate(list(several_of)[:MOST_CLAIMS])
            for pair in about_claim(answer, claim, right=False, first=first + at * CLAIMS, count=CLAIMS)
        ]
        pairs += about_claim(answer, answer, right=True, first=first, count=CLAIMS)
        for prompt, reply in pairs:
            yield Candidate("claim", prompt, row, answer=reply)


def translated_candidates(
    written: Sequence[Candidate], count: int, foreign: Foreign, sampled: Sampled, chance: random.Random
) -> Iterator[Candidate]:
    """About `count` of what was written in the other language."""
    chosen = chance.sample(written, min(count, len(written)))
    requests = [foreign.request(one.prompt) for one in chosen]
    texts = sampled([messages for messages, _ in requests])
    for one, (_, hidden), text in zip(chosen, requests, texts, strict=True):
        if prompt := foreign.question(text, hidden, one.prompt):
            yield Candidate("translation", prompt, one.source)
