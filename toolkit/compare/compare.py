"""Asks both sides the same probes and judges the changes: probes -> sides -> answers -> metrics -> verdict."""

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from toolkit.compare.ability.ability import Ability, AbilityConfig
from toolkit.compare.ability.ledger import LIMIT_POINTS
from toolkit.compare.ability.thinking import ThoughtCount, Wanted, pairs_of, thinking_entry
from toolkit.compare.answering import Answered
from toolkit.compare.further import Further, Numbers, trained_prompts
from toolkit.compare.held_out import HeldOut
from toolkit.compare.metrics import flips, measure
from toolkit.compare.questions import Questions, kind, matrix, probes_for, trained_rows, training_system
from toolkit.compare.report.report import Report, from_base
from toolkit.compare.scan import Scanning
from toolkit.compare.sides import BASE, Side, base_of, find_side, run_side
from toolkit.compare.verdict import reach_verdict
from toolkit.core.errors import ConfigError
from toolkit.core.events import Listener, silent
from toolkit.core.files import file_sha256
from toolkit.data.dataset import prompt_key
from toolkit.data.probes import DEPTH, OUT_OF_SCOPE, PARAPHRASE, TRAINED, ProbeSet, read_probes
from toolkit.data.tools.reading import tool_names
from toolkit.model.conversation import DEFAULT, DEFAULT_SYSTEM, MAX_NEW_TOKENS, THOUGHT_TOKENS
from toolkit.model.language_model import Load, load_model
from toolkit.runs.comparison import TOOL_LOCALITY, FurtherQuestions, RecordedOptions
from toolkit.runs.questions import learned_questions, read_questions
from toolkit.runs.run import find_run, require_own_files

LEAST_TOOL_LOCALITY = 0.75  # 23 of the 24 shipped questions show it: their interval begins at 0.80


@dataclass(frozen=True, kw_only=True)
class CompareConfig:
    """`run` None: the latest finished one. A side: base, system:TEXT, a run, or the folder of an adapter or a model.

    `scale`: of the after side's adapter, from 0 to 1. `thresholds`: in place of the probe file's.
    `outside`: questions out of scope in all, those beyond the probe file's from the shipped bank; None: as many as the
    limit of leakage takes on a card, and none more on a CPU. `probes_more`: further ones on top, and as many in scope,
    which the base model writes, and rows; None: in scope as many as the limits there take on a card, and none on a CPU.
    `exactly`: as many as another comparison asked, in place of both.
    `depth`: those depth groups that the probe file lacks, made from its questions; None: on a card.
    `test`: a file of rows that were not trained, for scores; None: the run's own, if it has one.
    `thinking`: of base models that think: keep asks the probes as anyone does, so that they are answered after thoughts
    of at most `thought_tokens`, as many as before; off asks them without, and no thoughts may be left; None: as the run
    was trained, else keep.
    `strict`: an inconclusive verdict has an exit code of its own. `scan`: also look for words that nobody asked about
    (see `toolkit.compare.scan`); None: in less text, on a card, if the after side has an adapter.
    `systems`: system prompts to measure everything under. If none are named, here or in the probe file, it is
    `questions.matrix`: everything is measured under the first, and only the answers are judged under the others.
    """

    run: str | None = None
    before: str = BASE
    after: str | None = None
    scale: float | None = None
    model: str | None = None
    probes: Path | None = None
    thresholds: Mapping[str, float] = field(default_factory=dict)
    systems: tuple[str, ...] = ()
    output: Path = Path("output")
    max_new_tokens: int = MAX_NEW_TOKENS
    outside: int | None = None
    probes_more: int | None = None
    exactly: Numbers | None = None
    depth: bool | None = None
    test: str | None = None
    thinking: Wanted | None = None
    thought_tokens: int = THOUGHT_TOKENS
    strict: bool = False
    ability: AbilityConfig = AbilityConfig()  # noqa: RUF009  # it is frozen
    scan: bool | None = None


def compare(config: CompareConfig, *, listener: Listener = silent, load: Load = load_model) -> tuple[Report, Side]:
    """The report, and the after side that it is about; raises ToolkitError."""
    after = _after_side(config)
    if after.run is not None:
        require_own_files(after.run)  # probes and reports are written into it
    before = _before_side(config, after)
    probes = read_probes(config.probes or probes_for(after)).with_old(before.model.names)
    further = _further(config, probes, after)
    tools = {} if further.tools is None else {TOOL_LOCALITY: LEAST_TOOL_LOCALITY}
    usual = {**tools, **probes.thresholds}
    probes = replace(probes, thresholds={**usual, **config.thresholds})
    timings: dict[str, float] = {}
    ability = Ability.planned(config.ability)
    scanning = Scanning.planned(config.scan, after, config.output)
    held_out = HeldOut.planned(config.test, after.run)
    wanted = _wanted(config, before, after)
    questions = _questions(config, probes, before, after)
    thoughts = None
    if wanted == "keep":
        questions = replace(questions, thought_tokens=config.thought_tokens)
    elif wanted == "off":
        thoughts = ThoughtCount(thought_tokens=config.thought_tokens)
    answered = Answered(questions, listener, timings, further, ability, scanning, held_out, thoughts)
    started = time.perf_counter()
    alike = (before.model.path, before.model.in_4bit) == (after.model.path, after.model.in_4bit)
    results = (answered.in_one_load if alike else answered.in_two_loads)(before, after, load)
    timings["total"] = round(time.perf_counter() - started, 3)
    systems = dict.fromkeys(one.system for one in results)
    trained = trained_prompts(answered.questions.probes.probes, further.rows)
    per_system = {
        system: measure([one for one in results if one.system == system], trained_prompts=trained) for system in systems
    }
    limit = config.ability.limit_points
    abilities, first, found_flips = ability.record(), next(iter(systems)), flips(results)
    more = _further_questions(answered.questions.probes, probes, further)
    pairs = pairs_of(results, first) if thoughts is None else thoughts.pairs
    thinking = None
    if wanted is not None and pairs:
        thinking = thinking_entry(pairs, wanted=wanted, system=first, thought_tokens=config.thought_tokens)
    report = Report(
        before=before.to_dict(),
        after=after.to_dict(),
        verdict=reach_verdict(
            per_system,
            probes.thresholds,
            strict=config.strict,
            ability=abilities,
            thinking=thinking,
            left=answered.left,
            expected=from_base(before.kind, found_flips["expected"]),
        ),
        thresholds=probes.thresholds,
        per_system=per_system,
        flips=found_flips,
        systems={system: kind(system, training_system(after, before)) for system in systems},
        results=results,
        probes=_probe_file(probes),
        timings_s=timings,
        questions=None if after.run is None else learned_questions(after.run.record),
        further=more,
        ability=abilities,
        thinking=thinking,
        scan=None if scanning is None else scanning.found,
        test=None if held_out is None else held_out.record(),
        options=RecordedOptions(
            systems=config.systems,
            max_new_tokens=config.max_new_tokens,
            outside=config.outside,
            probes_more=config.probes_more,
            depth=bool(more and more.depth) if config.depth is None else config.depth,
            thinking=config.thinking,
            thought_tokens=config.thought_tokens,
            thresholds={name: limit for name, limit in config.thresholds.items() if usual.get(name) != limit},
            ability_limit=None if abilities.not_run or limit == LIMIT_POINTS else limit,
        ),
    )
    return report, after


def _wanted(config: CompareConfig, before: Side, after: Side) -> Wanted | None:
    """What is wanted of thoughts; None where neither side's model thinks. Raises ConfigError for --thinking then."""
    if not (before.model.thinks or after.model.thinks):
        if config.thinking is not None:
            raise ConfigError(
                f"{after.model.name} does not think: its chat template asks for no thought.",
                next="Leave out --thinking.",
            )
        return None
    trained = "keep" if after.run is None else after.run.record.recipe.thinking
    return config.thinking or trained


def _questions(config: CompareConfig, probes: ProbeSet, before: Side, after: Side) -> "Questions":
    """If a side is a prompt, the other is asked under its training prompt, or without a system message."""
    systems = tuple(dict.fromkeys(config.systems or probes.systems))
    full_count = len(systems)
    if not systems:
        prompted = before.system is not None or after.system is not None
        trained = training_system(after, before)
        first = trained if trained is not None else (DEFAULT if prompted else DEFAULT_SYSTEM)
        systems, full_count = (first,) if prompted else matrix(first), 1
    return Questions(probes=probes, systems=systems, full_count=full_count, max_new_tokens=config.max_new_tokens)


def _further(config: CompareConfig, probes: ProbeSet, after: Side) -> Further:
    """Nothing that the after side was trained on is asked as a further question; tools only if it is about tools."""
    rows = () if after.run is None else trained_rows(after.run)
    beside = () if after.run is None else read_questions(after.run)
    lists = {*(row.tools for row in rows), *(probe.tools for probe in probes.probes)} - {""}
    return Further(
        tools={name for tools in lists for name in tool_names(tools)} if lists else None,
        outside=config.outside, more=config.probes_more, exactly=config.exactly, depth=config.depth,
        rows=[(row.prompt, row.answer) for row in rows if row.of_one_turn],
        excluded={prompt_key(one.prompt) for one in (*rows, *beside)},
    )  # fmt: skip


def _further_questions(all_of_them: ProbeSet, named: ProbeSet, further: Further) -> FurtherQuestions | None:
    added = all_of_them.probes[len(named.probes) :]
    groups, tools = Counter(probe.group for probe in added), sum(bool(probe.tools) for probe in added)
    if not groups:
        return None
    return FurtherQuestions(
        bank=groups[OUT_OF_SCOPE] - tools,
        tools=tools,
        written=groups[PARAPHRASE],
        rows=groups[TRAINED],
        depth=sum(groups[group] for group in DEPTH),
        path=str(further.bank.path),
        sha256=further.bank.sha256,
    )


def _after_side(config: CompareConfig) -> Side:
    if config.after is None:
        side = run_side(find_run(config.run, config.output), model=config.model)
    else:
        side = find_side(config.after, config.output, beside=None, model=config.model)
    return side if config.scale is None else side.scaled(config.scale)


def _before_side(config: CompareConfig, after: Side) -> Side:
    """`base` is the after side's base model; for a merged model, what it was merged from."""
    beside = base_of(after)
    if beside is None and config.model is None and config.before == BASE:
        raise ConfigError(
            f"{after.name} does not say which base model it comes from.", next="Name that one with --before or --model."
        )
    return find_side(config.before, config.output, beside=beside, model=config.model)


def _probe_file(probes: ProbeSet) -> dict[str, Any]:
    return {"path": str(probes.path), "sha256": file_sha256(probes.path)}
