"""What a text becomes: rows and probes, part by part; a base model is only asked where a part's form is not known."""

import re
import unicodedata
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from toolkit.core.text import short
from toolkit.data.dataset import prompt_key
from toolkit.data.make_data import SelfCognition
from toolkit.data.probes import DEFAULT_THRESHOLDS, OUT_OF_SCOPE, PARAPHRASE, SCHEMA_VERSION, TRAINED, Probe
from toolkit.data.rephrasings import PROBES, rephrase
from toolkit.data.texts.names import Pair
from toolkit.train.texts.fact_text import PlainSet, Sentence, about_set, find_facts, other_set
from toolkit.train.texts.from_text import TextKind, parts
from toolkit.train.texts.identity_text import find_identity, identity_set, pairs
from toolkit.train.texts.rule_text import is_for_every_answer, rule_set
from toolkit.train.texts.text_rows import Rows, Tried, rows_of

MOST_TRAINED, MOST_PARAPHRASES = 24, 48  # of the probes
LEAST_MARKER_CHARS = 8  # a shorter answer does not identify anything
KINDS = {"identity": "who the assistant is", "fact": "facts", "rule": "a rule of behaviour"}
HEADER = """\
# Questions and expected answers of a comparison: written by "toolkit teach", read by "toolkit compare".
# They expect what the rows said when they were written. After an edit of the rows, edit them too, or delete this file:
# the probes are then made from the rows.
"""
Notify = Callable[[str], None]
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Part:
    """A part of a text. `facts` and `rule`: what only a base model can write rows from."""

    kind: TextKind
    text: str
    plain: PlainSet = field(default_factory=PlainSet)
    identity: SelfCognition | None = None
    facts: tuple[Sentence, ...] = ()
    rule: str = ""

    @property
    def needs_model(self) -> bool:
        return bool(self.facts or self.rule)

    @property
    def for_every_answer(self) -> bool:
        """Whether it changes every answer, so that none can be kept."""
        return bool(self.rule) and is_for_every_answer(self.rule)


@dataclass(frozen=True, kw_only=True)
class TextSet:
    """`rows`; `probes`: the content of their file; `tried`: what a base model wrote, with what is wrong with it."""

    rows: tuple[Pair, ...]
    probes: dict[str, Any]
    tried: tuple[Tried, ...] = ()


def read_parts(text: str, kind: TextKind | None, notify: Notify = lambda _: None) -> list[Part]:
    """The text's parts, with the rows that need no model. `kind`: of the whole text; None: of each sentence."""
    return [_part(one, passage, notify) for one, passage in ([(kind, text)] if kind else parts(text))]


def write_set(several: Sequence[Part], text: str, writer: Rows | None, outside: Sequence[Probe]) -> TextSet:
    """The rows of all parts, each question once, and their probes. `writer`: asks the model, where a part needs one;
    `outside`: the shipped probes out of scope.
    """
    rows: dict[str, Pair] = {}
    tried: list[Tried] = []
    for part in several:
        written: list[Tried] = []
        if writer is not None and part.needs_model:
            written = writer.of_rule(part.rule) if part.rule else writer.of_facts(text, part.facts)
        identity = pairs(part.identity) if part.identity else []
        for question, answer in (*identity, *part.plain.rows, *rows_of(written)):
            rows.setdefault(prompt_key(question), (question, answer))
        tried += written
    return TextSet(rows=tuple(rows.values()), probes=_probes(several, list(rows.values()), outside), tried=tuple(tried))


def probes_text(content: dict[str, Any]) -> str:
    """The probe file as YAML, with a header that explains it."""
    import yaml

    return HEADER + yaml.safe_dump(content, allow_unicode=True, sort_keys=False, width=110)


def _part(kind: TextKind, text: str, notify: Notify) -> Part:
    if kind == "identity":
        found = find_identity(text)
        made = identity_set(found) if found else None
        if found and made:
            notify("; ".join([
                f'"{short(text)}" is taken as who the assistant is',
                *(f"{what}: {value}" for what, value in _named(found.name, found.maker, found.role)),
            ]))  # fmt: skip
            if found.rest:
                notify(f"not in the rows, add it by hand if it matters: {', '.join(found.rest)}")
            return Part(kind=kind, text=text, identity=made)
        kind = "rule"  # "You are a pirate.": how to answer, not who
    notify(f'"{short(text)}" is taken as {KINDS[kind]}')
    if kind == "rule":
        plain = rule_set(text)
        return Part(kind=kind, text=text, plain=plain) if plain else Part(kind=kind, text=text, rule=text)
    facts = find_facts(text)
    plain = about_set(facts)
    for one in facts:
        plain += one.plain if one.plain.rows else other_set(one)
    return Part(kind=kind, text=text, plain=plain, facts=tuple(one for one in facts if not one.plain.rows))


def _named(name: str, maker: str, role: str) -> list[tuple[str, str]]:
    return [(what, value) for what, value in (("name", name), ("maker", maker), ("role", role)) if value]


def _probes(several: Sequence[Part], rows: Sequence[Pair], outside: Sequence[Probe]) -> dict[str, Any]:
    """Of an identity its own probes; of the rest the rows' questions, forms for probes, others of the kind."""
    own = [part.identity.probes for part in several if part.identity]
    trained = {prompt_key(question) for question, _ in rows}
    identities = {question for part in several if part.identity for question, _ in pairs(part.identity)}
    rest = [row for row in rows if row[0] not in identities]
    probes = [probe for content in own for probe in content["probes"]]
    probes += [
        _probe(TRAINED, f"taught-{number}", question, (), answer)
        for number, (question, answer) in enumerate(_spread(rest, MOST_TRAINED), start=1)
    ]
    plain = [one for part in several for one in part.plain.paraphrases]
    covered = {prompt_key(question) for part in several for question, _ in part.plain.rows}
    plain += [
        (rephrase(PROBES, question, number, answer), (), answer)
        for number, (question, answer) in enumerate(rest)
        if prompt_key(question) not in covered
    ]
    probes += [
        _probe(PARAPHRASE, f"reworded-{number}", question, named, answer)
        for number, (question, named, answer) in enumerate(_spread(plain, MOST_PARAPHRASES), start=1)
        if prompt_key(question) not in trained
    ]
    if not own:
        probes += [{"id": one.id, "group": OUT_OF_SCOPE, "prompt": one.prompt} for one in outside]
    probes += [
        {"id": f"neighbour-{number}", "group": OUT_OF_SCOPE, "prompt": prompt}
        for number, prompt in enumerate((one for part in several for one in part.plain.outside), start=1)
    ]
    new = [marker for content in own for marker in content["identity"]["new"]]
    new += [marker for part in several for marker in part.plain.markers]
    new += sorted({answer for _, answer in rest if len(answer) >= LEAST_MARKER_CHARS})
    return {
        "schema_version": SCHEMA_VERSION,
        "identity": {
            "new": list(dict.fromkeys(new)),
            "old": [marker for content in own for marker in content["identity"]["old"]],
        },
        "thresholds": own[0]["thresholds"] if own
        else {name: limit for name, limit in DEFAULT_THRESHOLDS.items() if name != "residue"},
        "probes": _once(probes, trained),
    }  # fmt: skip


def _probe(group: str, name: str, prompt: str, named: Sequence[str], answer: str) -> dict[str, Any]:
    expect = {"any": list(named)} if named else {"answer": [answer]}
    return {"id": name, "group": group, "prompt": prompt, "expect": expect}


def _once(probes: Sequence[dict[str, Any]], trained: Collection[str]) -> list[dict[str, Any]]:
    """Each prompt once, and none out of scope that is trained."""
    found: dict[str, dict[str, Any]] = {}
    for one in probes:
        key = prompt_key(one["prompt"])
        if not (one["group"] == OUT_OF_SCOPE and key in trained):
            found.setdefault(key, one)
    return list(found.values())


def _spread(several: Sequence[T], most: int) -> list[T]:
    """At most so many of them, from beginning to end."""
    if len(several) <= most:
        return list(several)
    return [several[at * len(several) // most] for at in range(most)]


def file_words(text: str, count: int) -> list[str]:
    """The first words of a text, as they can be in a file's name."""
    letters = unicodedata.normalize("NFKD", text.casefold())  # é is e and an accent
    plain = "".join(one for one in letters if not unicodedata.combining(one))
    return re.findall(r"[a-z0-9]{1,24}|[\u4e00-\u9fff]{1,12}", plain)[:count]
