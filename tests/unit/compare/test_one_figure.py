"""One figure, one place: every view of a run shows a metric under the system prompt where it is worst, and no other."""

import json
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from tests.fakes.answered import SYSTEM, answered, report_on
from tests.fakes.run_record import run_record
from toolkit.cli.console.ranking import print_ranking, print_scales
from toolkit.cli.console.report import print_report
from toolkit.cli.console.sweep import print_sweep
from toolkit.cli.runs import command as runs_command
from toolkit.compare.report import write_report
from toolkit.compare.report.figures import LEDGERS, figure
from toolkit.compare.report.report import Report
from toolkit.compare.texts import Texts
from toolkit.data.probes import DEPTH, OUT_OF_SCOPE, PARAPHRASE, TRAINED
from toolkit.export.evidence import read_evidence
from toolkit.export.model_card import CardFacts, render_card
from toolkit.model.conversation import DEFAULT, NONE
from toolkit.model.divergence import Drift
from toolkit.runs.comparison import OPTIONAL
from toolkit.runs.run import read_run, write_record
from toolkit.runs.runs import details, differences
from toolkit.sweep.page import sweep_page
from toolkit.sweep.rank import Ranked
from toolkit.sweep.record import FINISHED, Entry, Sweep
from toolkit.sweep.running.one import _record_report

DIGEST = "a" * 64
TOOLS = '[{"type": "function", "function": {"name": "look"}}]'
CALLED = '<tool_call>\n{"name": "look", "arguments": {}}\n</tool_call>'
SYSTEMS = (SYSTEM, DEFAULT, NONE)


def results():
    """Each metric has another value under each system prompt, and is worst under another than its neighbour."""
    found = []
    for at, system in enumerate(SYSTEMS):
        for number in range(7):
            holds = number >= at
            found += [
                answered(TRAINED, "Qwen", "Nova" if holds else "Qwen", system=system, name=f"t{number}"),
                *(
                    answered(group, "Qwen", "Nova" if holds else "Hm", system=system, name=f"{group}-{number}")
                    for group in DEPTH
                ),
                answered(PARAPHRASE, "Qwen", "Nova" if number < 5 + at else "Hm", system=system, name=f"p{number}"),
                answered(
                    OUT_OF_SCOPE, "Paris", "Paris" if number > 1 + at else "No, Nova. " * 5, system=system,
                    name=f"o{number}", before_again="Paris" if number >= at else "Rome",
                    drift=Drift(kl_sum=0.1 * (at + 1) * number, agreeing=9 - at, tokens=10),
                ),
                answered(
                    OUT_OF_SCOPE, CALLED, CALLED if number > at else "Done.", system=system, name=f"c{number}",
                    tools=TOOLS,
                ),
            ]  # fmt: skip
    return found


@pytest.fixture(name="folder")
def _folder(tmp_path: Path) -> Path:
    """A run that was compared, and one that was not."""
    folder = tmp_path / "v0-20260101-000000"
    checkpoint = folder / "checkpoint-1"
    checkpoint.mkdir(parents=True)
    (checkpoint / "adapter_model.safetensors").write_bytes(b"")
    (checkpoint / "trainer_state.json").write_text("{}")
    adapter = {"path": "checkpoint-1", "sha256": "a" * 64, "bytes": 0}  # as the report has it
    write_record(folder, run_record(run_id=folder.name, adapter=adapter))
    other = tmp_path / "v1-20260101-000001"
    other.mkdir()
    write_record(other, run_record(run_id=other.name))
    return folder


@pytest.fixture(name="report")
def _report(folder: Path) -> Report:
    report = report_on(*results())
    write_report(report, SimpleNamespace(run=read_run(folder)), None)
    return report


@pytest.fixture(name="figures")
def _figures(report: Report) -> dict[str, str]:
    """As they must be shown, by metric; worked out here, apart from the code that is tested."""
    worst = {}
    for name in [name for ledger in LEDGERS.values() for name in ledger]:
        values = [metrics[name].value for metrics in report.per_system.values()]
        if name == "length":
            worst[name] = max(values, key=lambda value: abs(value - 1))
        elif name in {*OPTIONAL, "reliability", "generality", "locality", "agreement", "noise_floor"}:
            worst[name] = min(values)
        else:
            worst[name] = max(values)
    return {name: figure(value) for name, value in worst.items()}


def ledger_rows(text: str, label) -> dict[str, str]:
    """The first number in the row of each metric, whatever the table is drawn with."""
    found = {}
    for name in [name for ledger in LEDGERS.values() for name in ledger]:
        pattern = rf"^{label(Texts()(f'metric.{name}.name'))}.*?(?<![\w.-])(-?\d+\.\d+(?:e-\d+)?)"
        found[name] = re.search(pattern, text, re.MULTILINE)[1]
    return found


def test_the_worst_is_not_what_all_answers_have_together(report, figures):
    """Else the other tests could not tell the two apart."""
    together = report_on(*(replace(one, system=SYSTEM) for one in report.results)).values

    assert figures.keys() == together.keys()
    assert not [name for name, value in together.items() if name != "residue" and figure(value) == figures[name]]
    assert len({shown.system for shown in report.figures.values()}) > 1


def test_report_json_and_its_reader(report, folder, figures):
    content = json.loads((folder / "compare" / "report.json").read_text(encoding="utf-8"))

    assert {name: figure(metric["value"]) for name, metric in content["metrics"].items()} == figures
    assert {name: figure(value) for name, value in Report.from_dict(content).values.items()} == figures


def test_a_report_of_version_1_is_read_as_the_same_figures(report, figures):
    """It had figures over all system prompts in `metrics`; nobody reads those."""
    content = report.to_dict() | {"schema_version": 1}
    content["metrics"] = {name: metric | {"value": 0.123} for name, metric in content["metrics"].items()}

    assert {name: figure(value) for name, value in Report.from_dict(content).values.items()} == figures


def test_the_terminal(report, figures, capsys):
    print_report(report, Texts())

    assert ledger_rows(capsys.readouterr().out, lambda name: rf"  {re.escape(name)} ") == figures


def test_report_md(folder, report, figures):  # the report is written
    text = (folder / "compare" / "report.md").read_text(encoding="utf-8")

    assert ledger_rows(text, lambda name: rf"\| {re.escape(name)}: .*?\|") == figures


def test_report_html(folder, report, figures):
    text = (folder / "compare" / "report.html").read_text(encoding="utf-8")
    shown = dict(
        re.findall(
            r'<dl class="metric">\s*<dt>(.*?)<small>.*?<dd class="number"><b[^>]*>(?:<a[^>]*>)?([^<]*)(?:</a>)?</b>',
            text,
            re.DOTALL,
        )
    )

    assert shown == {Texts()(f"metric.{name}.name"): value for name, value in figures.items()}


def test_report_junit_fails_by_the_worst(folder, report, figures):
    text = (folder / "compare" / "report.junit.xml").read_text(encoding="utf-8")

    for name in ("reliability", "kl"):
        assert f"{name} is {figures[name]}, " in text


def test_runs_show(folder, report, figures):
    found = details(read_run(folder))["metrics"]
    text = CliRunner().invoke(runs_command, ["show", "v0", "--output", str(folder.parent)]).output

    assert {name: figure(metric["value"]) for name, metric in found.items()} == figures
    shown = " ".join(text.split())
    for name, metric in found.items():
        assert re.search(rf"\b{name} {re.escape(figure(metric['value']))}(,|\s|$)", shown)


def test_runs_diff(folder, report, figures):
    found = {
        one.name.removeprefix("metrics."): figure(one.first)
        for one in differences(read_run(folder), read_run(folder.parent / "v1-20260101-000001"))
        if one.name.startswith("metrics.")
    }

    assert found == figures


def sweep_of(report: Report, folder: Path) -> Sweep:
    entry = Entry(recipe={"name": "keep"}, settings={}, status=FINISHED, run=folder.name, seconds=1.0)
    _record_report(entry, report)
    return Sweep(
        folder=folder, request={"data": "d.json", "model": "micro"}, started_at="", status="finished", entries=[entry]
    )


COLUMNS = ("reliability", "generality", "leakage", "kl", "agreement", "locality")


def test_sweep(report, folder, figures, capsys):
    sweep = sweep_of(report, folder)
    print_sweep(sweep)
    row = next(line for line in capsys.readouterr().out.splitlines() if " v0 " in line)

    assert [cell for cell in row.split() if cell in figures.values()] == [figures[name] for name in COLUMNS]
    assert {name: figure(value) for name, value in sweep.entries[0].metrics.items()} == figures
    shown = dict(re.findall(r'<td class="[a-z]+" data-name="([^"]+)">([\d.]+)\s', sweep_page(sweep)))
    shown = {label.split(" ")[0]: value for label, value in shown.items()}  # "reliability ≥ 0.9"
    assert {name: shown[name] for name in COLUMNS} == {name: figures[name] for name in COLUMNS}


def test_rank_and_scales(report, folder, figures, capsys):
    side = SimpleNamespace(run=read_run(folder), scale=1.0)
    ranked = [Ranked(report=report, side=side, shortfall=0.0)]
    names = ("reliability", "generality", "residue", "leakage", "kl", "agreement", "locality")
    for printed in (print_ranking, print_scales):
        printed(ranked, Texts())
        row = capsys.readouterr().out.splitlines()[1].split()
        assert row[1 : 1 + len(names)] == [figures[name] for name in names]


def test_the_model_card(report, folder, figures):
    evidence = read_evidence(folder / "compare", DIGEST)
    card = render_card(CardFacts(
        base="micro", revision=None, architecture="qwen2", licence=None, licence_files=[], languages=[],
        adapter_sha256=DIGEST, run=read_run(folder).record, evidence=evidence,
    ))  # fmt: skip

    assert ledger_rows(card, lambda name: rf"\| {re.escape(name)}: .*?\|") == figures


def test_a_report_comes_back_from_its_json(report):
    content = json.loads(json.dumps(report.to_dict()))

    again = Report.from_dict(content)

    assert again.to_dict() == content
    assert [one.probe for one in again.results] == [one.probe for one in report.results]
    assert again.verdict == report.verdict


@pytest.mark.parametrize(
    "change",
    [{"per_system": {}}, {"verdict": {"took": True}}, {"flips": None}, {"probes": [{"id": 1}]}, {"schema_version": 4}],
)
def test_what_is_not_a_report_is_refused(report, change):
    with pytest.raises(ValueError, match=next(iter(change))):
        Report.from_dict(report.to_dict() | change)
