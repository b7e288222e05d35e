"""Probe files: reads and checks them."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from toolkit.core.documents import parse_json, read_text
from toolkit.core.errors import DataError
from toolkit.core.files import SHIPPED_DATA, data_folder, file_sha256
from toolkit.core.spelling import near_files
from toolkit.core.text import contains_any, normalized, short
from toolkit.data.probing.contradiction import contradictions
from toolkit.data.probing.expectation import Expectation, mapping, read_expectation, texts
from toolkit.data.probing.history import History, read_history
from toolkit.data.records import RowFault
from toolkit.data.tools.reading import read_tools, tool_names

PROBE_SUFFIXES = (".yaml", ".yml", ".jsonl", ".ndjson")
HEAD = frozenset({"schema_version", "identity", "thresholds", "systems", "tools"})
Numbered = Sequence[tuple[int, object]]  # 1-based line numbers, each with its value
SCHEMA_VERSION = 1
TRAINED, PARAPHRASE, OUT_OF_SCOPE = "trained", "paraphrase", "out-of-scope"
# In scope too, where users poke: how deep what was learned goes. Judged only where the file sets a threshold.
INDIRECT, PORTABILITY, REVERSAL = "indirect", "portability", "reversal"
OTHER_LANGUAGE, MULTI_TURN = "other-language", "multi-turn"
DEPTH = (INDIRECT, PORTABILITY, REVERSAL, OTHER_LANGUAGE, MULTI_TURN)
DEPTH_METRICS = {group: group.replace("-", "_") for group in DEPTH}  # the share of each that is as expected
GROUPS = (TRAINED, PARAPHRASE, *DEPTH, OUT_OF_SCOPE)
# Of a probe.
KEYS = ("id", "group", "prompt", "expect", "history", "system", "tools", "language", "category")
# What a metric must reach, or must not exceed; a probe file may set its own.
DEFAULT_THRESHOLDS = {
    "reliability": 0.9,
    "generality": 0.9,
    "residue": 0.05,
    "leakage": 0.02,
    "kl": 0.02,
    "agreement": 0.95,
}
DRIFT = "kl"  # the one metric without the range of a share
# The metrics that may have one.
THRESHOLDS = (*DEFAULT_THRESHOLDS, *DEPTH_METRICS.values(), "locality", "tool_locality", "repetition")


@dataclass(frozen=True, kw_only=True)
class Probe:
    """A question; out of scope `expect` is None, and the answer must stay the base model's.

    `history`: what is said before it. `system`: its own system prompt, in place of the one that is asked under.
    `tools`: what may be called, a JSON list in OpenAI's form; "" without any.
    """

    id: str
    group: str
    prompt: str
    expect: Expectation | None = None
    history: History = ()
    system: str | None = None
    tools: str = ""

    @property
    def context(self) -> str:
        """Everything that the answer may merely repeat: what is written of the conversation."""
        turns = [text for turn in self.history for text in turn if text is not None]
        return "\n".join([self.system or "", *turns, self.prompt])

    @property
    def question(self) -> str:
        """All that is asked, whatever case, width and white space: probes that ask the same are one question."""
        turns = [text or "" for turn in self.history for text in turn]
        return normalized("\0".join([self.system or "", self.tools, *turns, self.prompt]))


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

    def with_old(self, names: Sequence[str]) -> "ProbeSet":
        """With these names in the old identity too, if the file has one: but for those within the new identity."""
        if not self.old_markers:
            return self
        more = [one for one in names if not any(contains_any(new, (one,)) for new in self.new_markers)]
        return replace(self, old_markers=tuple(dict.fromkeys((*self.old_markers, *more))))

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
        raise _no_list(path)
    if value.get("schema_version", SCHEMA_VERSION) != SCHEMA_VERSION:
        raise DataError(f"{path}: schema_version is not {SCHEMA_VERSION}.", next="See data/probes.yaml for the format.")
    if unknown := sorted(map(str, set(value) - HEAD)):
        raise DataError(f"{path} has unknown keys: {', '.join(unknown)}.", next="See data/probes.yaml for the format.")
    identity = mapping(value.get("identity") or {}, f"{path}: identity")
    if unknown := sorted(map(str, set(identity) - {"new", "old"})):
        raise DataError(f"{path}: identity has unknown keys: {', '.join(unknown)}.", next="It takes new and old.")
    tools = _tools(value.get("tools", []), f"{path}: tools", {})
    known = dict(zip(tool_names(tools), json.loads(tools or "[]"), strict=True))
    probes = tuple(
        _probe(entry, f"{path}, line {line}: probe {number}", known, number)
        for number, (line, entry) in enumerate(entries, start=1)
    )
    ids = [probe.id for probe in probes]
    if twice := sorted({name for name in ids if ids.count(name) > 1}):
        raise DataError(f"{path}: the id {twice[0]} is used twice.", next="Make each id unique.")
    _require_consistent(probes, {name: line for name, (line, _) in zip(ids, entries, strict=True)}, path)
    return ProbeSet(
        path=path,
        probes=probes,
        new_markers=texts(identity.get("new", []), f"{path}: identity.new"),
        old_markers=texts(identity.get("old", []), f"{path}: identity.old"),
        thresholds=DEFAULT_THRESHOLDS | _thresholds(value.get("thresholds") or {}, path),
        systems=texts(value.get("systems", []), f"{path}: systems", empty=True),
    )


def _require_consistent(probes: Sequence[Probe], lines: Mapping[str, int], path: Path) -> None:
    """`lines`: of each probe, by its id. Raises DataError for probes that no answer can meet together."""
    for one, other, what in contradictions(probes):
        at = f"{path}, line {lines[one.id]}"
        if one is other:
            raise DataError(f"{at}: probe {one.id} expects what it forbids: {short(what)}.", next="Correct it.")
        raise DataError(
            f"{at}: probe {one.id} asks the same as probe {other.id} (line {lines[other.id]}), "
            f"and one of them expects what the other forbids: {short(what)}.",
            next="Correct or delete one of them.",
        )


def _tools(value: object, where: str, known: Mapping[str, Any]) -> str:
    """A list of tools, or of names of those that the file's head has. Raises DataError."""
    if not isinstance(value, list):
        raise DataError(f"{where} is not a list.", next="List tools, or names of those in the file's own tools.")
    try:
        return read_tools([known.get(one, one) if isinstance(one, str) else one for one in value], where)
    except RowFault as fault:
        raise DataError(f"{fault.why}.", next=f"{fault.remedy[:1].upper()}{fault.remedy[1:]}.") from None


def _no_list(path: Path) -> DataError:
    return DataError(f"{path} has no list of probes.", next='Write them below "probes:", as in data/probes.yaml.')


def _probe(entry: object, where: str, tools: Mapping[str, Any], number: int) -> Probe:
    """`number`: its place in the file, from 1; a probe without an id is named by its group and that."""
    fields = mapping(entry, where)
    if unknown := sorted(map(str, set(fields) - {*KEYS})):
        raise DataError(f"{where} has unknown keys: {', '.join(unknown)}.", next=f"A probe takes {', '.join(KEYS)}.")
    fields = {"id": f"{fields.get('group')}-{number}", **fields}
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
        expect=None if expect is None else read_expectation(expect, where),
        history=read_history(fields["history"], where) if "history" in fields else (),
        system=fields.get("system"),
        tools=_tools(fields.get("tools", []), f"{where}: tools", tools),
    )


def _thresholds(value: object, path: Path) -> dict[str, float]:
    fields = mapping(value, f"{path}: thresholds")
    for name, number in fields.items():
        if name not in THRESHOLDS:
            raise DataError(f"{path}: a threshold for {name!r}, which is not a metric.", next="See data/probes.yaml.")
        if isinstance(number, bool) or not isinstance(number, (int, float)):
            raise DataError(f"{path}: the threshold of {name} is not a number.", next="Correct it.")
        if not is_threshold(name, number):
            why = threshold_range(name)
            raise DataError(f"{path}: the threshold of {name} is {number}; {why}.", next="Correct it.")
    return {name: float(number) for name, number in fields.items()}


def is_threshold(name: str, number: float) -> bool:
    """Whether the metric can have this threshold. One beyond its range, such as 2 for 2 %, would judge nothing."""
    return math.isfinite(number) and 0 <= number <= (math.inf if name == DRIFT else 1)


def threshold_range(name: str) -> str:
    """In words, for an error."""
    return "nats a token begin at 0" if name == DRIFT else "shares are from 0 to 1, and 0.02 is 2 %"


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
            value = parse_json(line, unique_keys=True)
        except ValueError as error:
            raise DataError(f"{path}, line {number}, is not JSON: {error}.", next="Fix that line.") from None
        if isinstance(value, dict) and value and set(value) <= HEAD:
            if twice := sorted(set(head) & set(value)):
                raise DataError(f"{path}, line {number}: {twice[0]} is there twice.", next="Keep one of the two lines.")
            head |= value
        else:
            probes.append((number, value))
    return {"schema_version": 1, **head}, probes


def _yaml(text: str, path: Path) -> tuple[dict[str, Any], Numbered]:
    from toolkit.core.plain_yaml import parse_yaml

    try:
        value, node = parse_yaml(text)
    except ValueError as error:
        raise DataError(
            f"{path} is not YAML that the toolkit reads: {error}.",
            next="Correct it: a text with a question mark, a colon or a comma is written in quotes.",
        ) from None
    probes = value.get("probes") if isinstance(value, dict) else None
    if node is None or value is None or not isinstance(probes, list):
        raise _no_list(path)
    lines = next(
        [item.start_mark.line + 1 for item in inner.value] for key, inner in node.value if key.value == "probes"
    )
    return {key: field for key, field in value.items() if key != "probes"}, list(zip(lines, probes, strict=True))
