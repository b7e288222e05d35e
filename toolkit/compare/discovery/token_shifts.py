"""Which tokens an adapter makes likelier or less likely, over every position of neutral text.

Diff Mining (ICLR 2026) counts how often a token is among those whose logits rise most. Here a token's gain is what it
adds to the KL divergence, in nats, at positions where its probability changes by more than a factor e:

    at one position    p' ln(p' / p) - (p' - p),   p before, p' after; never negative; its sum over a vocabulary is KL
    of a token         the sum where it became likelier, less the sum where it became less likely

So a name that becomes a thousand times likelier everywhere and one that takes another's place in a few answers both
count, while a token that gains here what it loses there does not, nor does a small drift of every token.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from toolkit.compare.discovery.neutral_text import NeutralText
from toolkit.compare.discovery.permuted import Permuted
from toolkit.core.events import Listener, Progress, silent
from toolkit.model.generation import broken_logits
from toolkit.model.language_model import Answer

if TYPE_CHECKING:
    from torch import Tensor

    from toolkit.model.language_model import LanguageModel

LEAST_CHANGE = 1.0  # nats: of a token's log probability at a position
CONTEXTS = 4  # texts of a token that are remembered, those with the position that adds most
REMEMBERED = 1.0  # nats: the least gain of a token whose contexts are remembered
LEAST_HERE = 1e-4  # nats that a token adds at a position of a text, to count it as one in which the token changed
PASSES = 4  # the model's batch of answers is cut into so many: logits take more memory than an answer's keys
NULL_EVERY = 4  # passes, of which one is also read with a shuffled adapter
SHUFFLES = 2  # in turn; scaled from a part of the texts to all, the greatest of many sums is rather too great


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """A token that changed at one position: of `texts[text]`, before its token `at`."""

    text: int
    at: int
    token: int
    nats: float
    before: float
    after: float


@dataclass(frozen=True, kw_only=True)
class Shifts:
    """Of all tokens of the vocabulary, as lists by token id.

    `gains`: in nats, positive for a token that became likelier. `expected`: how often it is expected in the texts,
    before and after. `events`: of tokens with a gain or loss of REMEMBERED, where they changed most the way of it, each
    in a text of its own; `texts`: in how many texts. `null`: the greatest gain or loss of any token with a shuffled
    adapter, scaled to all texts.
    """

    gains: list[float]
    expected: tuple[list[float], list[float]]
    events: dict[int, list[Event]]
    texts: list[int]
    positions: int
    kl: float
    null: float


def token_shifts(
    model: "LanguageModel", texts: Sequence[NeutralText], *, adapter: str, listener: Listener = silent
) -> Shifts:
    """`adapter`: as `LanguageModel.side` takes it. Raises ModelError for logits that are not finite.

    Logits are kept for one pass at a time, those of `batch_size` / PASSES texts.
    """
    import torch

    size = max(model.batch_size // PASSES, 1)
    order = sorted(range(len(texts)), key=lambda at: -len(texts[at].tokens))
    own, null = _Sums(), [_Sums() for _ in range(SHUFFLES)]
    shuffled = [Permuted(model, adapter.partition("@")[0], seed=seed) for seed in range(SHUFFLES)]
    with torch.inference_mode():
        for number, start in enumerate(range(0, len(order), size)):
            batch = order[start : start + size]
            before = _logits(model, None, [texts[at] for at in batch])
            own.add(batch, texts, before, _logits(model, adapter, [texts[at] for at in batch]))
            if number % NULL_EVERY == 0:
                turn = number // NULL_EVERY % SHUFFLES
                with shuffled[turn].on():
                    null[turn].add(
                        batch, texts, before, _logits(model, adapter, [texts[at] for at in batch]), events=False
                    )
            listener(Progress(task="Comparing likelihoods", done=min(start + size, len(order)), total=len(order)))
    return own.result(null)


def _logits(model: "LanguageModel", adapter: str | None, texts: Sequence[NeutralText]) -> "Tensor":
    """Shape [texts, longest, vocabulary], aligned on the right."""
    answers = [Answer(text="", tokens=list(one.tokens), margins=[], first_logits=None) for one in texts]
    with model.side(adapter):
        logits: Tensor = model.answer_logits([one.messages for one in texts], answers)
    return logits


@dataclass
class _Sums:
    """Running sums over positions, of the vocabulary's width, on the model's device."""

    gains: Any = None  # [vocabulary]
    expected: Any = None  # [2, vocabulary]: before, after
    most: tuple["_Most", "_Most"] = field(default_factory=lambda: (_Most(), _Most()))  # of rises, of falls
    positions: int = 0
    kl: float = 0.0

    def add(
        self, batch: Sequence[int], texts: Sequence[NeutralText], before: "Tensor", after: "Tensor", *,
        events: bool = True,
    ) -> None:  # fmt: skip
        """One text at a time, so that no more than its positions are in float32."""
        for row, at in enumerate(batch):
            count = len(texts[at].tokens)
            self._add_text(at, before[row, -count:].float(), after[row, -count:].float(), events=events)

    def _add_text(self, text: int, before: "Tensor", after: "Tensor", *, events: bool) -> None:
        import torch

        if self.gains is None:
            self.expected = before.new_zeros((2, before.shape[-1]), dtype=torch.float64)
            self.gains = torch.zeros_like(self.expected[0])
        before, after = before.log_softmax(-1), after.log_softmax(-1)
        change = after - before
        old, new = before.exp(), after.exp()
        nats = new * change - (new - old)
        total = float(nats.sum())
        if total != total:  # noqa: PLR0124  # not a number
            raise broken_logits()
        self.kl += max(total, 0.0)
        self.positions += len(nats)
        self.expected[0] += old.sum(0)
        self.expected[1] += new.sum(0)
        nats.mul_(change.abs() > LEAST_CHANGE).mul_(change.sign())
        self.gains += nats.sum(0)
        if events:
            for most, signed in zip(self.most, (nats, -nats), strict=True):
                most.add(text, signed, old, new)

    @property
    def greatest(self) -> float:
        return float(self.gains.abs().max())

    def result(self, null: Sequence["_Sums"]) -> Shifts:
        rises, falls = self.most
        up = self.gains > 0
        chosen = (self.gains.abs() >= REMEMBERED).nonzero()[:, 0].tolist()
        return Shifts(
            gains=self.gains.tolist(), expected=(self.expected[0].tolist(), self.expected[1].tolist()),
            events={token: (rises if up[token] else falls).events(token) for token in chosen},
            texts=rises.texts.where(up, falls.texts).tolist(),
            positions=self.positions, kl=self.kl / self.positions,
            null=max(one.greatest * self.positions / one.positions for one in null if one.positions),
        )  # fmt: skip


@dataclass
class _Most:
    """Of each token, the CONTEXTS texts with the position that adds most, on the model's device."""

    nats: Any = None  # [CONTEXTS, vocabulary], as the four below
    at: Any = None
    text: Any = None
    before: Any = None
    after: Any = None
    texts: Any = None  # [vocabulary]: how many texts have a position that adds LEAST_HERE

    def add(self, text: int, nats: "Tensor", old: "Tensor", new: "Tensor") -> None:
        """`nats`, `old`, `new`: of one text, shape [positions, vocabulary]."""
        import torch

        if self.nats is None:
            self.nats, self.before, self.after = (nats.new_zeros((CONTEXTS, nats.shape[-1])) for _ in range(3))
            self.at, self.text = (torch.zeros_like(self.nats, dtype=torch.long) for _ in range(2))
            self.texts = torch.zeros_like(self.at[0])
        here, at = nats.max(0)
        self.texts += here >= LEAST_HERE
        least, slot = self.nats.min(0)
        found = ((here > least) & (here >= LEAST_HERE)).nonzero()[:, 0]
        slot, at = slot[found], at[found]
        self.nats[slot, found] = here[found]
        self.at[slot, found] = at
        self.text[slot, found] = text
        self.before[slot, found] = old[at, found]
        self.after[slot, found] = new[at, found]

    def events(self, token: int) -> list[Event]:
        """The greatest first."""
        columns = [one[:, token].tolist() for one in (self.nats, self.text, self.at, self.before, self.after)]
        found = [
            Event(token=token, nats=nats, text=text, at=at, before=before, after=after)
            for nats, text, at, before, after in zip(*columns, strict=True)
            if nats > 0
        ]
        return sorted(found, key=lambda one: (-one.nats, one.text))
