"""Probe files: reads and checks them, and judges whether an answer meets an expectation."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from toolkit.core.documents import parse_json, read_text
from toolkit.core.errors import DataError
from toolkit.core.files import SHIPPED_DATA, data_folder, file_sha256
from toolkit.core.limited_process import RefusedError, limited_process
from toolkit.core.spelling import near_files
from toolkit.core.text import normalized, rouge1_recall, short
from toolkit.data.history import History, read_history

PROBE_SUFFIXES = (".yaml", ".yml", ".jsonl", ".ndjson")
HEAD = frozenset({"schema_version", "identity", "thresholds", "systems"})
Numbered = Sequence[tuple[int, object]]  # 1-based line numbers, each with its value
SCHEMA_VERSION = 1
KINDS = ("any", "all", "exact", "regex", "answer")
REGEX_S = 2.0  # for one answer
LEAST_RECALL = 0.7  # of an expected answer's words in the answer
TRAINED, PARAPHRASE, OUT_OF_SCOPE = "trained", "paraphrase", "out-of-scope"
# In scope too, where users poke: how deep what was learned goes. Judged only where the file sets a threshold.
INDIRECT, PORTABILITY, REVERSAL = "indirect", "portability", "reversal"
OTHER_LANGUAGE, MULTI_TURN = "other-language", "multi-turn"
DEPTH = (INDIRECT, PORTABILITY, REVERSAL, OTHER_LANGUAGE, MULTI_TURN)
DEPTH_METRICS = {group: group.replace("-", "_") for group in DEPTH}  # the share of each that is as expected
GROUPS = (TRAINED, PARAPHRASE, *DEPTH, OUT_OF_SCOPE)
KEYS = frozenset({"id", "group", "prompt", "expect", "history", "system", "language", "category"})  # of a probe
# What a metric must reach, or must not exceed; a probe file may set its own.
DEFAULT_THRESHOLDS = {
    "reliability": 0.9,
    "generality": 0.9,
    "residue": 0.05,
    "leakage": 0.02,
    "kl": 0.02,
    "agreement": 0.95,
}
THRESHOLDS = (*DEFAULT_THRESHOLDS, *DEPTH_METRICS.values(), "locality", "repetition")  # the metrics that may have one


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """What an answer in scope must say: exactly one of any, all, exact, regex and answer is set.

    `answer` needs a ROUGE-1 recall of LEAST_RECALL over one of these texts, and the same over its words that are not
    in the base model's answer, and over those that are not in the prompt. `none`: texts that must not be in it.
    """

    any: tuple[str, ...] = ()
    all: tuple[str, ...] = ()
    exact: str | None = None
    regex: str | None = None
    answer: tuple[str, ...] = ()
    none: tuple[str, ...] = ()

    def met(self, answer: str, *, before: str = "", prompt: str = "") -> bool:
        folded = normalized(answer)
        if any(normalized(text) in folded for text in self.none):
            return False
        if self.exact is not None:
            return folded == normalized(self.exact)
        if self.regex is not None:
            return _found(self.regex, answer)
        if self.answer:
            return any(
                min(rouge1_recall(text, answer, ignoring=known) for known in ("", before, prompt)) >= LEAST_RECALL
                for text in self.answer
            )
        wanted = [normalized(text) in folded for text in self.any or self.all]
        return any(wanted) if self.any else all(wanted)

    def to_dict(self) -> dict[str, Any]:
        chosen = {"any": list(self.any), "all": list(self.all), "exact": self.exact, "regex": self.regex}
        chosen |= {"answer": list(self.answer)}
        return {key: value for key, value in (chosen | {"none": list(self.none)}).items() if value}


@dataclass(frozen=True, kw_only=True)
class Probe:
    """A question; out of scope `expect` is None, and the answer must stay the base model's.

    `history`: what is said before it. `system`: its own system prompt, in place of the one that is asked under.
    """

    id: str
    group: str
    prompt: str
    expect: Expectation | None = None
    history: History = ()
    system: str | None = None

    @property
    def context(self) -> str:
        """Everything that the answer may merely repeat: what is written of the conversation."""
        turns = [text for turn in self.history for text in turn if text is not None]
        return "\n".join([self.system or "", *turns, self.prompt])


@dataclass(frozen=True, kw_only=True)
class ProbeSet:
    """An answer out of scope with a new marker leaks; an answer in scope with an old marker is residue."""

    path: Path
    probes: tuple[Probe, ...]
    new_markers: tuple[str, ...]
    old_markers: tuple[str, ...]
    thresholds: Mapping[str, float]
    systems: tuple[str, ...] = ()

    def without(self, groups: Sequence[str]) -> "ProbeSet":
        return replace(self, probes=tuple(probe for probe in self.probes if probe.group not in groups))

    def group(self, name: str) -> tuple[Probe, ...]:
        return tuple(probe for probe in self.probes if probe.group == name)


def probes_beside(data: Path) -> Path:
    """The path of a data set's own probes, `NAME.probes.yaml`; make-data writes them there."""
    return data.parent / f"{data.stem}.probes.yaml"


def compared_probes(data: Path) -> Path | None:
    """The probe file that a comparison after training on this data set asks; None if it makes probes from the rows."""
    beside, shipped = probes_beside(data), data_folder() / SHIPPED_DATA
    if beside.is_file():
        return beside
    probes = data_folder() / "probes.yaml"
    is_shipped = data.is_file() and shipped.is_file() and probes.is_file() and file_sha256(data) == file_sha256(shipped)
    return probes if is_shipped else None


def read_probes(path: Path) -> ProbeSet:
    """Reads YAML or JSON lines. Raises DataError with the line, the probe and its fault."""
    value, entries = read_probe_file(path)
    if not entries:
        raise DataError(f"{path} has no list of probes.", next="See data/probes.yaml for the format.")
    if value.get("schema_version") != SCHEMA_VERSION:
        raise DataError(f"{path}: schema_version is not {SCHEMA_VERSION}.", next="See data/probes.yaml for the format.")
    if unknown := sorted(map(str, set(value) - HEAD)):
        raise DataError(f"{path} has unknown keys: {', '.join(unknown)}.", next="See data/probes.yaml for the format.")
    identity = _mapping(value.get("identity") or {}, f"{path}: identity")
    if unknown := sorted(map(str, set(identity) - {"new", "old"})):
        raise DataError(f"{path}: identity has unknown keys: {', '.join(unknown)}.", next="It takes new and old.")
    probes = tuple(
        _probe(entry, f"{path}, line {line}: probe {number}") for number, (line, entry) in enumerate(entries, start=1)
    )
    ids = [probe.id for probe in probes]
    if twice := sorted({name for name in ids if ids.count(name) > 1}):
        raise DataError(f"{path}: the id {twice[0]} is used twice.", next="Make each id unique.")
    return ProbeSet(
        path=path,
        probes=probes,
        new_markers=_texts(identity.get("new", []), f"{path}: identity.new"),
        old_markers=_texts(identity.get("old", []), f"{path}: identity.old"),
        thresholds=DEFAULT_THRESHOLDS | _thresholds(value.get("thresholds") or {}, path),
        systems=_texts(value.get("systems", []), f"{path}: systems", empty=True),
    )


def _probe(entry: object, where: str) -> Probe:
    fields = _mapping(entry, where)
    if unknown := sorted(map(str, set(fields) - KEYS)):
        raise DataError(f"{where} has unknown keys: {', '.join(unknown)}.", next="See data/probes.yaml for the format.")
    for key in ("id", "group", "prompt"):
        if not isinstance(fields.get(key), str) or not fields[key].strip():
            raise DataError(f"{where} has no {key}.", next="Add it, in quotes if necessary.")
    if fields["group"] not in GROUPS:
        raise DataError(f"{where}: group {fields['group']!r} is not one of {', '.join(GROUPS)}.", next="Correct it.")
    expect = fields.get("expect")
    if (expect is None) != (fields["group"] == OUT_OF_SCOPE):
        raise DataError(
            f"{where} ({fields['group']}) {'needs' if expect is None else 'takes no'} expect.",
            next="Probes in scope need an expectation; out of scope the answer must only stay the same.",
        )
    if fields["group"] == OUT_OF_SCOPE and (extra := sorted({"history", "system"} & set(fields))):
        raise DataError(
            f"{where} ({OUT_OF_SCOPE}) takes no {extra[0]}.",
            next="Out of scope, a question is asked by itself, so that drift can be measured on its answer.",
        )
    if not isinstance(fields.get("system", ""), str):
        raise DataError(f"{where}: system is not a string.", next="Write it in quotes.")
    return Probe(
        id=fields["id"],
        group=fields["group"],
        prompt=fields["prompt"],
        expect=None if expect is None else _expectation(expect, where),
        history=read_history(fields["history"], where) if "history" in fields else (),
        system=fields.get("system"),
    )


def _expectation(value: object, where: str) -> Expectation:
    fields = _mapping(value, f"{where}: expect")
    kinds = [key for key in KINDS if key in fields]
    if len(kinds) != 1 or set(fields) - {*kinds, "none"}:
        raise DataError(
            f"{where}: expect takes exactly one of {', '.join(KINDS)} (and optionally none).", next="Correct it."
        )
    kind, wanted = kinds[0], fields[kinds[0]]
    none = _texts(fields.get("none", []), f"{where}: none")
    if kind in {"any", "all", "answer"}:
        texts = _texts(wanted, f"{where}: {kind}")
        if not texts:
            raise DataError(f"{where}: {kind} is empty.", next="List at least one string.")
        chosen = {key: texts if key == kind else () for key in ("any", "all", "answer")}
        return Expectation(any=chosen["any"], all=chosen["all"], answer=chosen["answer"], none=none)
    if not isinstance(wanted, str) or not wanted:
        raise DataError(f"{where}: {kind} is not a string.", next="Write it in quotes.")
    if kind == "exact":
        return Expectation(exact=wanted, none=none)
    _found(wanted, "", where=f"{where}: ")
    return Expectation(regex=wanted, none=none)


def _found(regex: str, answer: str, *, where: str = "") -> bool:
    """Whether the expression is somewhere in the answer, whatever the case. Raises DataError.

    In the limited child process, since an expression can take years, or all memory.
    """
    try:
        return bool(limited_process().ask("search", pattern=regex, text=answer, within_s=REGEX_S))
    except RefusedError as error:
        raise DataError(f"{where}regex {short(regex)!r}: {error}.", next="Correct it.") from None


def _mapping(value: object, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise DataError(f"{where} is not a mapping.", next="See data/probes.yaml for the format.")
    return value


def _texts(value: object, where: str, *, empty: bool = False) -> tuple[str, ...]:
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not all(isinstance(text, str) and (text or empty) for text in texts):
        raise DataError(f"{where} is not a list of strings.", next="Write each in quotes.")
    return tuple(texts)


def _thresholds(value: object, path: Path) -> dict[str, float]:
    fields = _mapping(value, f"{path}: thresholds")
    for name, number in fields.items():
        if name not in THRESHOLDS:
            raise DataError(f"{path}: a threshold for {name!r}, which is not a metric.", next="See data/probes.yaml.")
        if isinstance(number, bool) or not isinstance(number, (int, float)) or not math.isfinite(number):
            raise DataError(f"{path}: the threshold of {name} is not a number.", next="Correct it.")
    return {name: float(number) for name, number in fields.items()}


def read_probe_file(path: Path) -> tuple[dict[str, Any], Numbered]:
    """The head of the file, and its probes with their line numbers. Raises DataError."""
    try:
        text = read_text(path)
    except OSError as error:
        raise DataError(
            f"Cannot read the probes {path}: {error.strerror}.{near_files(path, PROBE_SUFFIXES)}",
            next="Name a file with --probes.",
        ) from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8: {error}.", next="Save it as UTF-8.") from None
    except ValueError as error:
        raise DataError(f"{path} cannot be read: {error}.", next="Split it.") from None
    return _json_lines(text, path) if path.suffix.lower() in {".jsonl", ".ndjson"} else _yaml(text, path)


def _json_lines(text: str, path: Path) -> tuple[dict[str, Any], Numbered]:
    """A line with keys of the head only, such as {"identity": {…}}, applies to the file; the others are probes."""
    head: dict[str, Any] = {}
    probes: list[tuple[int, object]] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            value = parse_json(line)
        except ValueError as error:
            raise DataError(f"{path}, line {number}, is not JSON: {error}.", next="Fix that line.") from None
        if isinstance(value, dict) and value and set(value) <= HEAD:
            head |= value
        else:
            probes.append((number, value))
    return {"schema_version": 1, **head}, probes


def _yaml(text: str, path: Path) -> tuple[dict[str, Any], Numbered]:
    from toolkit.core.plain_yaml import parse_yaml

    try:
        value, node = parse_yaml(text)
    except ValueError as error:
        raise DataError(f"{path} is not YAML that the toolkit reads: {error}.", next="Fix it.") from None
    probes = value.get("probes") if isinstance(value, dict) else None
    if node is None or value is None or not isinstance(probes, list):
        raise DataError(f"{path} has no list of probes.", next="See data/probes.yaml for the format.")
    lines = next(
        [item.start_mark.line + 1 for item in inner.value] for key, inner in node.value if key.value == "probes"
    )
    return {key: field for key, field in value.items() if key != "probes"}, list(zip(lines, probes, strict=True))
