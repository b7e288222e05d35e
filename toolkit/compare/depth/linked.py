"""Portability and reversal probes for rows without them: by form and by the base model, of which the sound ones stay.

What follows from a row, and what its reverse is, is decided by the names that rows share; the base model words it.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import islice, zip_longest

from toolkit.compare.depth.links import Candidate, linked
from toolkit.compare.depth.names import Ordinary, mark
from toolkit.compare.depth.sound import sound
from toolkit.compare.depth.written import aliased, kind_of, steps, written_back
from toolkit.compare.teacher import Row, plain_answers
from toolkit.core.text import content_words
from toolkit.data.dataset import prompt_key
from toolkit.data.probes import Probe
from toolkit.data.texts.names import new_names, subject_phrase
from toolkit.data.texts.naming import Naming, about_assistant
from toolkit.data.texts.reverse import noun_for
from toolkit.data.texts.terms import find_terms
from toolkit.model.language_model import LanguageModel

MOST_ROWS = 48  # from which questions are made
MOST_BY_FORM = 12  # of a kind
AS_TRAINED = ("back", "combined")  # kinds with the forms of the questions around rows: only the noun may differ
PART, ALIKE = 3, 0.5  # characters of a part, and the share of parts that two prompts which ask the same have in common
TRIED = 24  # of a group: at most half of them are kept


def linked_probes(
    model: LanguageModel, rows: Sequence[Row], groups: Collection[str], *, others: Sequence[str],
    taken: Collection[str], system: str, most: int,
) -> list[Probe]:  # fmt: skip
    """At most `most` of each of these groups, every kind as often as the others; none for rows without a subject.

    `others`: texts about something else, whose words are ordinary. `taken`: prompt keys that are not asked again.
    """
    rows = rows[:MOST_ROWS]
    before = plain_answers(model, [question for question, _ in rows], system)
    naming = naming_of(rows, before, others)
    if not (naming.itself or naming.subject):
        return []
    ordinary = Ordinary([question for question, _ in rows], before)
    marks = [mark(row, naming, ordinary, new) for row, new in zip(rows, naming.terms.new, strict=True)]
    kind = kind_of(model, naming) if naming.subject else ""
    nouns = noun_for(naming.subject, kind)
    found = [
        *_chosen(linked(naming, nouns, marks), groups, MOST_BY_FORM), *written_back(model, naming),
        *aliased(model, naming, kind, marks, system), *steps(model, naming, marks, system),
    ]  # fmt: skip
    tried = list(_by_kind(_fresh(found, taken), groups, TRIED))
    kept = _by_kind(sound(model, tried, rows, system), groups, most)
    return [
        Probe(id=f"{one.group}-{one.kind}-{number}", group=one.group, prompt=one.prompt, expect=one.expect)
        for number, one in enumerate(kept, start=1)
    ]


def naming_of(rows: Sequence[Row], before: Sequence[str], others: Sequence[str]) -> Naming:
    """What the rows are about. `before`: the base model's answers to their questions."""
    terms, itself = find_terms(rows, before, others), about_assistant(rows)
    subject = "" if itself else subject_phrase([question for question, _ in rows], terms.subject)
    common = {word for text in (*others, *before) for word in content_words(text)}
    names = [name for name in new_names(rows, terms, common) if name != subject]
    return Naming(rows=rows, terms=terms, names=names, subject=subject, itself=itself)


def _fresh(candidates: Iterable[Candidate], taken: Collection[str]) -> Iterator[Candidate]:
    """Each prompt once, and none that is taken; of forms that a training has, none that is nearly taken, either."""
    known, parts = set(taken), [_parts_of(key) for key in taken]
    for one in candidates:
        key = prompt_key(one.prompt)
        if key in known or (one.kind in AS_TRAINED and any(_alike(_parts_of(key), other) for other in parts)):
            continue
        known.add(key)
        yield one


def _parts_of(key: str) -> set[str]:
    return {key[at : at + PART] for at in range(len(key) - PART + 1)}


def _alike(one: set[str], other: set[str]) -> bool:
    return len(one & other) >= ALIKE * len(one | other)


def _chosen(candidates: Iterable[Candidate], groups: Collection[str], most: int) -> list[Candidate]:
    """At most so many of a kind, from different rows as far as there are."""
    by_kind: dict[str, dict[int, list[Candidate]]] = defaultdict(lambda: defaultdict(list))
    for one in candidates:
        if one.group in groups:
            by_kind[one.kind][one.sources[0]].append(one)
    found: list[Candidate] = []
    for by_row in by_kind.values():
        # From row to row the next partner, so that not all of them describe the subject alike.
        turned = [ones[at % len(ones) :] + ones[: at % len(ones)] for at, ones in enumerate(by_row.values())]
        found += islice(_in_turn(turned), most)
    return found


def _by_kind(candidates: Iterable[Candidate], groups: Collection[str], most: int) -> Iterator[Candidate]:
    """At most so many of a group, of every kind as many as of the others as far as there are."""
    by_group: dict[str, dict[str, list[Candidate]]] = defaultdict(lambda: defaultdict(list))
    for one in candidates:
        by_group[one.group][one.kind].append(one)
    for group in groups:
        yield from islice(_in_turn(list(by_group[group].values())), most)


def _in_turn(several: Sequence[Sequence[Candidate]]) -> Iterator[Candidate]:
    for turn in zip_longest(*several):
        yield from (one for one in turn if one is not None)
