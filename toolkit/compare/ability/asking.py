"""One side answers the items of the ledger, and its answers are judged."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from toolkit.compare.ability.checks import is_incoherent
from toolkit.compare.ability.items import CODE_TOKENS, LETTERS, Choice, Item, Program, Written
from toolkit.compare.ability.sandbox import solve_all
from toolkit.core.events import Listener, silent
from toolkit.model.conversation import conversation
from toolkit.model.language_model import LanguageModel

SHORT_ANSWER_TOKENS = CODE_TOKENS  # up to which a larger batch fits: 80 answers of code then share one
LARGER_BATCH = 4  # times
CHOICES_AT_ONCE = 1024  # a first token's logits are a vocabulary wide


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """An item's answer: its text, or the letter chosen; `incoherent` is None for a letter."""

    passed: bool
    text: str
    incoherent: bool | None = None


def ask(model: LanguageModel, items: Sequence[Item], system: str, listener: Listener = silent) -> list[Outcome]:
    """The outcomes in the items' order, of the side that the model is switched to."""
    found: dict[int, Outcome] = {}
    choices = {at: one for at, one in enumerate(items) if isinstance(one, Choice)}
    for group in dict.fromkeys(one.group for one in choices.values()):
        of_group = {at: one for at, one in choices.items() if one.group == group}
        found.update(zip(of_group, _choose(model, [*of_group.values()], system, listener), strict=True))
    written = {at: one for at, one in enumerate(items) if isinstance(one, Written)}
    found.update(zip(written, _write(model, [*written.values()], system, listener), strict=True))
    programs = {at: one for at, one in enumerate(items) if isinstance(one, Program)}
    found.update(zip(programs, _program(model, [*programs.values()], system, listener), strict=True))
    return [found[at] for at in range(len(items))]


def _texts(
    model: LanguageModel, prompts: Sequence[str], tokens: Sequence[int], system: str, listener: Listener
) -> list[str]:
    """The answers; those with the same limit of tokens share batches."""
    found: dict[int, str] = {}
    for limit in sorted(set(tokens)):
        positions = [at for at, one in enumerate(tokens) if one == limit]
        size = model.batch_size * (LARGER_BATCH if limit <= SHORT_ANSWER_TOKENS else 1)
        answers = model.answers(
            [conversation(prompts[at], system) for at in positions], max_new_tokens=limit, batch_size=size,
            listener=listener, task="Ability",
        )  # fmt: skip
        found.update(zip(positions, [one.text for one in answers], strict=True))
    return [found[at] for at in range(len(prompts))]


def _write(model: LanguageModel, items: Sequence[Written], system: str, listener: Listener) -> Iterator[Outcome]:
    texts = _texts(model, [one.prompt for one in items], [one.max_new_tokens for one in items], system, listener)
    for one, text in zip(items, texts, strict=True):
        yield Outcome(passed=one.check(text), text=text, incoherent=is_incoherent(text, one.language))


def _program(model: LanguageModel, items: Sequence[Program], system: str, listener: Listener) -> Iterator[Outcome]:
    texts = _texts(model, [one.prompt for one in items], [one.max_new_tokens for one in items], system, listener)
    tasks = [(text, one.function, one.calls, one.expected) for one, text in zip(items, texts, strict=True)]
    for one, text, passed in zip(items, texts, solve_all(tasks), strict=True):
        yield Outcome(passed=passed, text=text, incoherent=is_incoherent(text, one.language))


def _choose(model: LanguageModel, items: Sequence[Choice], system: str, listener: Listener) -> Iterator[Outcome]:
    """Each item's likeliest letter; `items`: of one group, over which they are calibrated."""
    for one, letter in zip(items, chosen_letters(_letter_logits(model, items, system, listener), items), strict=True):
        yield Outcome(passed=letter == one.answer, text=letter)


def _letter_logits(model: LanguageModel, items: Sequence[Choice], system: str, listener: Listener) -> list[list[float]]:
    """The log probability of each item's letters among each other."""
    import torch

    letters = [model.tokenizer(letter, add_special_tokens=False)["input_ids"][-1] for letter in LETTERS]
    found: list[list[float]] = []
    for start in range(0, len(items), CHOICES_AT_ONCE):
        part = items[start : start + CHOICES_AT_ONCE]
        answers = model.answers(
            [conversation(one.prompt, system) for one in part], max_new_tokens=1,
            batch_size=model.batch_size * LARGER_BATCH, listener=listener, task="Ability",
        )  # fmt: skip
        for one, answer in zip(part, answers, strict=True):
            logits = answer.first_logits[letters[: one.options]].float()
            found.append(torch.log_softmax(logits, dim=-1).tolist())
    return found


def chosen_letters(logits: Sequence[Sequence[float]], items: Sequence[Choice]) -> list[str]:
    """The likeliest letter of each item, after taking off each letter's mean where the items are calibrated."""
    means = [0.0] * len(LETTERS)
    if items and all(one.calibrated for one in items):
        means = [sum(column) / len(logits) for column in zip(*logits, strict=True)]
    calibrated = [[one - mean for one, mean in zip(row, means, strict=False)] for row in logits]
    return [LETTERS[row.index(max(row))] for row in calibrated]


def letter_counts(outcomes: Sequence[Outcome]) -> dict[str, int]:
    """How often each letter was chosen, for items with choices."""
    return dict(sorted(Counter(one.text for one in outcomes if one.incoherent is None).items()))
