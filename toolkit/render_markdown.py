"""A report as Markdown, for a pull request or a chat. Pure."""

from collections.abc import Mapping, Sequence

from toolkit.metrics import Judged, Metric
from toolkit.report import Report

LEDGERS = {"Took": ("reliability", "generality", "residue"), "Kept": ("leakage", "kl", "agreement", "locality")}
MEANING = {
    "reliability": "trained prompts answered as expected",
    "generality": "the same in wordings never trained",
    "residue": "answers in scope that still name the old identity",
    "leakage": "answers out of scope that name the new identity",
    "kl": "drift per token, KL(before ‖ after) in nats",
    "agreement": "tokens where both sides prefer the same",
    "locality": "answers out of scope that are the same, letter for letter",
    "noise_floor": "the same answers again, nothing changed but the batch",
}
ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"} | {sign: f"\\{sign}" for sign in "\\|`*_[]~$#!"})
AT_LEAST = ("reliability", "generality", "agreement", "locality")


def render_markdown(report: Report) -> str:
    """The verdict first, then the two ledgers, then every probe."""
    lines = [f"# {report.verdict.sentence}", ""]
    lines += [f"- {_escaped(reason)}" for reason in report.verdict.reasons]
    lines += [""] * bool(report.verdict.reasons)
    lines += [f"Before: {_side(report.before)}.", f"After: {_side(report.after)}.", ""]
    for title, names in LEDGERS.items():
        lines += [f"## {title}", "", "| metric | value | 95 % interval | n | needs |", "|---|---|---|---|---|"]
        lines += [_row(name, report.metrics[name], report.thresholds) for name in names]
        if title == "Kept":
            lines.append(_row("noise_floor", report.metrics["noise_floor"], {}))
        lines.append("")
    several = len(report.per_system) > 1
    for group in dict.fromkeys(one.probe.group for one in report.judged):
        lines += _group(group, [one for one in report.judged if one.probe.group == group], several_systems=several)
    return "\n".join(lines)


def needs(name: str, thresholds: Mapping[str, float]) -> str:
    if name not in thresholds:
        return ""
    return f"{'≥' if name in AT_LEAST else '≤'} {thresholds[name]:g}"


def figure(value: float | None) -> str:
    """Three decimals, or as many as a small number needs."""
    if value is None:
        return "not measured"
    return f"{value:.3f}" if value == 0 or abs(value) >= 0.001 else f"{value:.1e}"  # noqa: PLR2004  # 3 decimals


def interval(metric: Metric) -> str:
    return "" if metric.low is None or metric.high is None else f"{figure(metric.low)} – {figure(metric.high)}"


def _row(name: str, metric: Metric, thresholds: Mapping[str, float]) -> str:
    return (
        f"| {name.replace('_', ' ')}: {MEANING[name]} | {figure(metric.value)} | {interval(metric)} "
        f"| {metric.n} | {needs(name, thresholds)} |"
    )


def _side(side: Mapping[str, object]) -> str:
    return f"`{side['name']}` ({side['kind']})"


def _group(group: str, judged: Sequence[Judged], *, several_systems: bool) -> list[str]:
    header = ("system prompt",) * several_systems + ("prompt", "before", "after", "")
    lines = [f"## Probes: {group}", "", f"| {' | '.join(header)} |", "|---" * len(header) + "|"]
    for one in judged:
        texts = (one.system or "none",) * several_systems + (one.probe.prompt, one.before, one.after)
        lines.append(f"| {' | '.join(map(_escaped, texts))} | {mark(one)} |")
    return [*lines, ""]


def mark(one: Judged) -> str:
    """What is to be said of one answer, in a word or two."""
    if one.leaked:
        return "leaked"
    if one.residual:
        return "residue"
    if one.passed is not None:
        return "passed" if one.passed else "failed"
    return "moved" if one.changed else "same"


def _escaped(text: str) -> str:
    """Text for a table's cell or a list: one line, and nothing that Markdown or HTML would act on."""
    return "<br>".join(text.translate(ESCAPES).splitlines())
