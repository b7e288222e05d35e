"""The words that an adapter made likelier or less likely, ranked, each with where it happens."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from toolkit.compare.discovery.neutral_text import NeutralText
from toolkit.compare.discovery.phrases import AROUND, Continued, continued, own_words, phrase
from toolkit.compare.discovery.token_shifts import Shifts
from toolkit.core.text import content_words
from toolkit.runs.scan_record import ScanContext, ScanFinding

if TYPE_CHECKING:
    from toolkit.model.language_model import LanguageModel

CANDIDATES = 30  # tokens that are continued
SHOWN_CONTEXTS = 3
LEAST_TEXTS = 2  # in which a token changed
LEAST_NATS = 3.0  # of a token's gain: a word that came out of nothing in two or three places
FALL = 1.25  # a token that became less likely is expected less often by this factor
BEYOND_NULL = 2.0  # times the greatest gain of any token with a shuffled adapter


def findings(
    model: "LanguageModel", texts: Sequence[NeutralText], shifts: Shifts, *, adapter: str
) -> list[ScanFinding]:
    """The greatest change first. Raises ModelError for logits that are not finite."""
    chosen = candidates(shifts)
    by_side = {
        rises: continued(
            model, texts,
            [one for token in chosen if (shifts.gains[token] > 0) == rises for one in shifts.events[token]],
            adapter=adapter if rises else None,
        )
        for rises in (True, False)
    }  # fmt: skip
    found: list[ScanFinding] = []
    for token in chosen:
        rises = shifts.gains[token] > 0
        places = sorted(
            (one for one in by_side[rises] if one.event.token == token), key=lambda one: -one.event.nats
        )  # fmt: skip
        new = _finding(model, token, places, shifts)
        if content_words(new.text) or token in model.end_tokens:  # signs are said in many ways, and mean little
            merge(found, new)
    return found


def split(found: Sequence[ScanFinding], rows: Iterable[str]) -> tuple[list[ScanFinding], list[ScanFinding]]:
    """Those with a word that is not in these texts, and those without: they are expected."""
    known = own_words(rows)
    other: list[ScanFinding] = []
    expected: list[ScanFinding] = []
    for one in found:
        content = content_words(one.text)
        (expected if content and all(word in known for word in content) else other).append(one)
    return other, expected


def threshold(shifts: Shifts) -> float:
    """The least gain of a finding, in nats."""
    return max(LEAST_NATS, BEYOND_NULL * shifts.null)


def candidates(shifts: Shifts) -> list[int]:
    """Tokens whose gain or loss may be a finding, the greatest first.

    A token must also move overall the way that it moves at its strongest positions: ordinary words go both ways.
    """
    before, after = shifts.expected
    found = [
        token
        for token in shifts.events
        if abs(shifts.gains[token]) >= threshold(shifts)
        and shifts.texts[token] >= LEAST_TEXTS
        and (after[token] > before[token] if shifts.gains[token] > 0 else after[token] * FALL < before[token])
    ]
    return sorted(found, key=lambda token: (-abs(shifts.gains[token]), token))[:CANDIDATES]


def _finding(model: "LanguageModel", token: int, places: Sequence[Continued], shifts: Shifts) -> ScanFinding:
    text = phrase(model, places)
    rate = 100_000 / shifts.positions
    return ScanFinding(
        text=text,
        direction="likelier" if shifts.gains[token] > 0 else "less likely",
        nats=round(abs(shifts.gains[token]), 2),
        before=round(shifts.expected[0][token] * rate, 3), after=round(shifts.expected[1][token] * rate, 3),
        texts=shifts.texts[token],
        contexts=tuple(_context(one, shifts.gains[token] > 0) for one in places[:SHOWN_CONTEXTS]),
    )  # fmt: skip


def _context(place: Continued, rises: bool) -> ScanContext:
    return ScanContext(
        prompt=place.prompt, left=place.left[-AROUND:],
        before=place.instead if rises else place.text, after=place.text if rises else "",
        probability_before=round(place.event.before, 6), probability_after=round(place.event.after, 6),
    )  # fmt: skip


def merge(found: list[ScanFinding], new: ScanFinding) -> None:
    """A finding whose words are all in another's, in their order, is one with it: at the greater's place."""
    for at, one in enumerate(found):
        shorter, longer = sorted((one, new), key=lambda finding: len(finding.text))
        if one.direction == new.direction and _within(content_words(shorter.text), content_words(longer.text)):
            found[at] = longer.with_fields(
                nats=one.nats, before=one.before, after=one.after, texts=max(one.texts, new.texts)
            )
            return
    found.append(new)


def _within(part: Sequence[str], whole: Sequence[str]) -> bool:
    return bool(part) and any(
        list(part) == list(whole[at : at + len(part)]) for at in range(len(whole) - len(part) + 1)
    )
