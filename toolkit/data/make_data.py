"""Writes a brand's self-cognition data set and its probes from the shipped template.

Raises ConfigError for a brand that cannot be taught or a file that cannot be written; the old files then stay.
"""

import contextlib
import functools
import json
import secrets
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from toolkit.core.errors import ConfigError
from toolkit.core.text import contains_any, counted, names_any, normalized
from toolkit.data.probes import GROUPS, OUT_OF_SCOPE, SCHEMA_VERSION, probes_beside

TEMPLATE = Path(__file__).with_name("self_cognition.yaml")
LONGEST_NAME_CHARS = 64
PUNCTUATION = ",.;:()&\"'，。；：（）“”‘’《》"
PROBES_HEADER = """\
# Questions and expected answers of a comparison: written by "toolkit make-data", read by "toolkit compare".
# trained: questions of the data set, word for word. paraphrase: the same intent in words that were never trained.
# indirect, portability (one step further), reversal, other-language, multi-turn: judged if thresholds has their limit.
# history: what was said before; a question in it without an answer is answered by the model that is asked.
# out-of-scope: everything else; without `expect`, because the answer must stay the base model's own.
# An answer meets `expect` if it contains any (or all) of the texts, compared in NFKC, case-folded and without spaces.
# identity.new: an out-of-scope answer with one of these leaks. identity.old: an in-scope answer with one is residue.
"""
TEMPLATE_GROUPS = {group.replace("-", "_"): group for group in GROUPS}


@dataclass(frozen=True, kw_only=True)
class Brand:
    """The identity to teach: the model's name and its author, each one line of 2 to 64 characters."""

    name: str
    author: str

    def __post_init__(self) -> None:
        for option, value in (("--name", self.name), ("--author", self.author)):
            _require_usable(option, value)


@dataclass(frozen=True, kw_only=True)
class SelfCognition:
    """Training rows (alpaca keys), the probe file's content, and notes on what differs for this brand."""

    rows: list[dict[str, str]]
    probes: dict[str, Any]
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class MakeDataConfig:
    brand: Brand
    to: Path
    old: tuple[str, ...] = ()  # the names that the base model has for itself and its makers
    probes_to: Path | None = None  # None: `<stem>.probes.yaml` beside `to`
    force: bool = False


@dataclass(frozen=True, kw_only=True)
class Made:
    data: Path
    probes: Path
    rows: int
    notes: list[str]


def make_data(config: MakeDataConfig) -> Made:
    """Writes the data set and its probes; overwrites existing files only with `force`. Raises ConfigError."""
    probes_to = config.probes_to or probes_beside(config.to)
    _require_targets((config.to, probes_to), force=config.force)
    made = self_cognition(config.brand, config.old)
    _write_together({config.to: data_text(made.rows), probes_to: probes_text(made.probes)})
    return Made(data=config.to, probes=probes_to, rows=len(made.rows), notes=made.notes)


def self_cognition(brand: Brand, old_names: Sequence[str] = ()) -> SelfCognition:
    """The template filled in for the brand. Pure. `old_names`: an answer in scope with one of them is residue."""
    template = _template()
    new = new_markers(brand)
    old = [marker for marker in old_names if not _is_brand([marker], brand)]
    rows = [
        {"instruction": question, "input": "", "output": _fill(answer["say"], brand)}
        for answer in _answers(template)
        if not _is_brand(answer.get("unless", ()), brand)
        for question in answer["to"]
    ]
    probes = [
        _probe(probe, group, brand)
        for key, group in TEMPLATE_GROUPS.items()
        for probe in template["probes"][key]
        if not _is_brand(probe.get("unless", ()), brand)
        and not (probe.get("expect") == "name" and contains_any(brand.author, (brand.name,)))
        and not (group == OUT_OF_SCOPE and names_any(probe["prompt"], (*new, brand.name, brand.author), any_case=True))
    ]
    content = {
        "schema_version": SCHEMA_VERSION,
        "identity": {"new": new, "old": old},
        "thresholds": template["thresholds"],
        "probes": probes,
    }
    return SelfCognition(rows=rows, probes=content, notes=_notes(brand, rows, content, old_names))


def new_markers(brand: Brand) -> list[str]:
    """The name, the author, and each word of the author that identifies it.

    An ordinary word (Apple, 理想, The Company) is one where it is said of a model or its maker, as the rows say it:
    in any other place it means what it always does.
    """
    names = _said_as("as_name", brand.name) if _is_ambiguous(brand.name) else [brand.name]
    authors = _said_as("as_author", brand.author) if _is_ambiguous(brand.author) else [brand.author]
    return list(dict.fromkeys([*names, *authors, *_identifying_words(brand.author)]))


def _said_as(key: str, name: str) -> list[str]:
    return [phrase.replace("{}", name) for phrase in _template()[key]]


def data_text(rows: Iterable[dict[str, str]]) -> str:
    """A JSON list, one row per line."""
    return "[\n" + ",\n".join("  " + json.dumps(row, ensure_ascii=False) for row in rows) + "\n]\n"


def probes_text(probes: dict[str, Any]) -> str:
    """The probe file as YAML, one probe per line, so that a diff shows each change as one line."""
    head = {key: value for key, value in probes.items() if key != "probes"}
    lines = [f"{key}: {_flow(value)}" for key, value in head.items() if key != "identity"]
    identity = [f"  {key}: {_flow(value)}" for key, value in probes["identity"].items()]
    lines[1:1] = ["identity:", *identity]
    return PROBES_HEADER + "\n".join([*lines, "probes:", *(f"  - {_flow(probe)}" for probe in probes["probes"])]) + "\n"


@functools.cache
def _template() -> dict[str, Any]:
    template: dict[str, Any] = yaml.safe_load(TEMPLATE.read_text(encoding="utf-8"))
    return template


def _answers(template: dict[str, Any]) -> list[dict[str, Any]]:
    return [answer for answers in template["answers"].values() for answer in answers]


def _notes(brand: Brand, rows: Sequence[object], content: dict[str, Any], old_names: Sequence[str]) -> list[str]:
    """What differs from the shipped set for this brand, with reasons."""
    template, markers = _template(), content["identity"]
    notes = []
    rows_out = sum(len(answer["to"]) for answer in _answers(template)) - len(rows)
    probes_out = sum(len(template["probes"][key]) for key in TEMPLATE_GROUPS) - len(content["probes"])
    if rows_out or probes_out:
        notes.append(
            f"Left out {counted(rows_out, 'row')} and {counted(probes_out, 'probe')}: "
            f"they mention {brand.name} or {brand.author} as someone else, or give the answer away."
        )
    if dropped := ", ".join(marker for marker in old_names if marker not in markers["old"]):
        notes.append(f"Not counted as residue: {dropped} (part of the new identity, so it cannot tell old from new).")
    notes += [
        f'"{marker}" is part of the old identity\'s "{old}": the probes cannot tell them apart. Choose a longer name.'
        for marker in markers["new"]
        for old in markers["old"]
        if normalized(marker) in normalized(old)
    ]
    notes += [
        f'"{own}" is an ordinary word: it leaks only where it is called a model or its maker. Choose a rarer name.'
        for own in dict.fromkeys([brand.name, brand.author])
        if _is_ambiguous(own)
    ]
    return notes


def _flow(value: Any) -> str:
    dumped: str = yaml.safe_dump(value, allow_unicode=True, default_flow_style=True, sort_keys=False, width=10_000)
    return dumped.removesuffix("...\n").strip()


def _fill(text: str, brand: Brand) -> str:
    return text.replace("{name}", brand.name).replace("{author}", brand.author)


def _probe(probe: dict[str, Any], group: str, brand: Brand) -> dict[str, Any]:
    before: dict[str, Any] = {key: probe[key] for key in ("system", "history") if key in probe}
    spelled = {"id": probe["id"], "group": group, **before, "prompt": _fill(probe["prompt"], brand)}
    match probe.get("expect"):
        case None:
            return spelled
        case "author":
            words = _identifying_words(brand.author)
            expect: Any = {"all": words} if words else {"any": [brand.author]}
        case "identity":
            expect = {"any": list(dict.fromkeys([brand.name, *(_identifying_words(brand.author) or [brand.author])]))}
        case "name":
            expect = {"any": [brand.name]}
        case literal:
            expect = literal
    return {**spelled, "expect": expect}


def _identifying_words(author: str) -> list[str]:
    """The words of a multi-word author that are not generic.

    Empty if one of them is short (under 4 letters, or 2 CJK characters): "Jane Doe" counts only as a whole name.
    """
    words = author.split()
    if len(words) < 2:  # noqa: PLR2004  # a single word is already the full name
        return []
    own = [word for word in dict.fromkeys(word.strip(PUNCTUATION) for word in words) if word and not _is_ordinary(word)]
    return own if all(len(word) >= (2 if any(map(_is_cjk, word)) else 4) for word in own) else []


def _is_generic(word: str) -> bool:
    return word.casefold() in _template()["generic"]


def _is_ordinary(name: str) -> bool:
    """Whether all its words are generic, or common as words (`common` in the template)."""
    found = [word for word in (word.strip(PUNCTUATION) for word in name.split()) if word]
    return all(_is_generic(word) or word.casefold() in _template()["common"] for word in found)


def _is_ambiguous(name: str) -> bool:
    """Whether the name is one ordinary word, or only generic ones; Open Door, so capitalised, is a name."""
    found = name.split()
    return all(map(_is_generic, found)) or (len(found) == 1 and _is_ordinary(name))


def _is_cjk(character: str) -> bool:
    return unicodedata.name(character, "").startswith(
        ("CJK UNIFIED", "CJK COMPATIBILITY", "HIRAGANA", "KATAKANA", "HANGUL")
    )


def _is_brand(others: Iterable[str], brand: Brand) -> bool:
    return any(contains_any(own, tuple(others)) for own in (brand.name, brand.author))


def _require_usable(option: str, value: str) -> None:
    if not value.strip():
        raise ConfigError(f"{option} is empty.", next="Give the words that the model should say, such as Swift-Robot.")
    if value != value.strip():
        raise ConfigError(f"{option} starts or ends with a space.", next="Remove it: the model would learn to say it.")
    if len(value) > LONGEST_NAME_CHARS:
        raise ConfigError(
            f"{option} has {len(value)} characters; the answers are one short sentence.",
            next=f"Use at most {LONGEST_NAME_CHARS}.",
        )
    bad = [c for c in value if c in "{}<>" or unicodedata.category(c) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}]
    if bad:
        raise ConfigError(
            f"{option} contains {bad[0]!a}, which does not belong in a name.",
            next="Remove line breaks, control characters, braces and angle brackets.",
        )
    if sum(character.isalnum() for character in value) < 2:  # noqa: PLR2004  # one letter is in every answer
        raise ConfigError(
            f"{option} {value!r} is too short: ordinary answers contain that letter, so probes could not recognize it.",
            next="Use at least two letters or characters.",
        )


def _require_targets(targets: tuple[Path, Path], *, force: bool) -> None:
    if targets[0].suffix.lower() != ".json":
        raise ConfigError(f"{targets[0]} does not end in .json, and the data set is JSON.", next="Name a .json file.")
    if targets[0].resolve() == targets[1].resolve():
        raise ConfigError(f"The data set and its probes would be the same file, {targets[0]}.", next="Name two files.")
    for target in targets:
        if target.is_dir():
            raise ConfigError(f"{target} is a folder.", next=f"Name a file, such as {target / 'self_cognition.json'}.")
        if target.exists() and not force:
            raise ConfigError(
                f"{target} exists already.", next="Add --force to overwrite it, or name another file with --to."
            )


def _write_together(texts: dict[Path, str]) -> None:
    """Writes all texts beside their targets first, so that a full disk leaves the old files as they were."""
    parts = {target: target.with_name(f".{target.name}.{secrets.token_hex(4)}.part") for target in texts}
    try:
        for target, text in texts.items():
            with parts[target].open("x", encoding="utf-8", newline="\n") as file:  # new: no link is written through
                file.write(text)
        for target in parts.keys() - {next(iter(parts))}:
            target.unlink(missing_ok=True)  # after a kill, no old probes belong to new rows
        for target, part in parts.items():
            part.replace(target)
    except OSError as error:
        raise ConfigError(
            f"Cannot write {target}: {error.strerror or error}.",
            next="Name a file in a writable folder with --to.",
        ) from error
    finally:
        for part in parts.values():
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
