"""The model card of an adapter: front matter for the hub, and for readers what was measured. Pure: returns text."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.compare.report.figures import LEDGERS, Line, format_value, interval, ledger_lines, where_it_holds
from toolkit.compare.texts import Texts
from toolkit.core.text import counted, markdown, printable
from toolkit.export.evidence import Evidence
from toolkit.model.conversation import DEFAULT, NONE
from toolkit.model.hub.card import front_matter
from toolkit.runs.record import RunRecord

# SPDX identifiers that the hub spells in lower case; it takes any other licence as "other", with a name.
HUB_LICENCES = frozenset({
    "apache-2.0", "mit", "bsd-2-clause", "bsd-3-clause", "cc0-1.0", "cc-by-4.0", "cc-by-sa-4.0", "mpl-2.0", "unlicense",
})  # fmt: skip
TAGS = ("lora", "finetune-and-prove")


@dataclass(frozen=True, kw_only=True)
class CardFacts:
    """`base`: hub id, or a plain name with `revision` None. `licence`: SPDX. `run`: without paths."""

    base: str
    revision: str | None
    architecture: str
    licence: str | None
    licence_files: Sequence[str]
    languages: Sequence[str]
    adapter_sha256: str
    run: RunRecord
    evidence: Evidence


def render_card(facts: CardFacts) -> str:
    """The text of README.md. It contains no time of writing, so the same facts give the same bytes."""
    texts = Texts()
    report = facts.evidence.report
    systems = [facts.run.system, *facts.run.recipe.row_systems]
    text = _template().render(
        front_matter=_front_matter(facts),
        title=f"A LoRA adapter for {facts.base}",
        report=report is not None,
        verdict="" if report is None else report.verdict.sentence(texts),
        reason=facts.evidence.reason,
        reasons=[] if report is None else [markdown(reason) for reason in report.verdict.reasons],
        compared_under=0 if report is None else len(report.per_system),
        where_it_holds="" if report is None else markdown(where_it_holds(report, texts)),
        ledgers=[] if report is None else [
            (texts(f"ledger.{ledger}"), [_row(line, texts) for line in ledger_lines(report, ledger)])
            for ledger in LEDGERS
        ],
        base=facts.base,
        revision=facts.revision,
        on_hub=facts.revision is not None,
        trained_under=[_system(system) for system in systems],
        origin=[(name, markdown(str(value))) for name, value in _origin(facts)],
        licence=facts.licence,
        licence_files=", ".join(f"`{name}`" for name in facts.licence_files),
    )  # fmt: skip
    return re.sub(r"\n{3,}", "\n\n", text).rstrip("\n") + "\n"


def _front_matter(facts: CardFacts) -> str:
    licence = facts.licence.lower() if facts.licence else None
    other = licence is not None and licence not in HUB_LICENCES
    return front_matter(
        base_model=None if facts.revision is None else facts.base,
        languages=facts.languages,
        licence="other" if other else licence,
        licence_name=licence if other else None,
        tags=[*TAGS, facts.architecture],
    )


def _origin(facts: CardFacts) -> Iterator[tuple[str, object]]:
    run, recipe, data = facts.run, facts.run.recipe, facts.run.data
    yield "run", f"{run.run_id}, {run.status}"
    yield "base model", f"{facts.base}, revision {facts.revision}" if facts.revision else facts.base
    if lock := run.base_model.lock_sha256:
        yield "base model's lock, sha256", lock
    if recipe.load_in_4bit:
        yield "base model in memory", "trained and compared over 4 bits (bitsandbytes NF4, double quantisation)"
    yield "data", f"{data.path}, {counted(data.rows, 'row')}"
    yield "data, sha256", data.sha256
    for mixed in data.mix:
        yield "mixed in", f"{mixed.source}, {counted(mixed.rows, 'row')}, sha256 {mixed.sha256}"
    settings = {label: getattr(recipe, key) for key, label in SETTINGS.items()}
    if names := ", ".join(f"{label} {value}" for label, value in settings.items() if value is not None):
        yield "recipe", f"{recipe.name}: {names}"
    if recipe.keep_weight:
        rows = counted(recipe.keep_rows or 0, "row")
        yield "keep term", f"KL to the base model, weight {recipe.keep_weight:g}, {rows} a step"
    if loss := run.train.loss:  # an interrupted run has none
        yield "training", f"{counted(run.train.steps, 'step')}, loss {loss[0]:.2f} to {loss[-1]:.2f}, seed {run.seed}"
    versions = {name: value for name, value in run.versions.items() if value}
    if versions:
        yield "versions", ", ".join(f"{name} {value}" for name, value in versions.items())
    yield "adapter, sha256", facts.adapter_sha256


SETTINGS = {
    "lora_rank": "rank", "lora_alpha": "alpha", "epochs": "epochs", "learning_rate": "learning rate",
    "batch_size": "batch", "precision": "precision",
}  # fmt: skip


def _system(system: str) -> str:
    """A text in a fence that it cannot close; DEFAULT and NONE as a sentence."""
    if system in {DEFAULT, NONE}:
        return "No system prompt: the chat template adds its own." if system == DEFAULT else "An empty system prompt."
    fence = "`" * (1 + max((len(run) for run in re.findall("`{3,}", system)), default=2))
    return f"{fence}text\n{printable(system)}\n{fence}"


def _row(line: Line, texts: Texts) -> dict[str, str]:
    judged = line.limit is not None and line.metric.value is not None
    return {
        "name": texts(f"metric.{line.name}.name"),
        "meaning": texts(line.meaning),
        "value": format_value(line.metric, texts),
        "interval": interval(line.metric),
        "n": str(line.metric.n),
        "needs": line.needs,
        "mark": ("missed" if line.missed else "ok") if judged else "",
    }


def _template() -> Any:
    """Without HTML escapes, since it renders Markdown: user text goes through `markdown` or `_system`."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=False, undefined=StrictUndefined,  # noqa: S701
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    return environment.get_template("card.md.jinja")
