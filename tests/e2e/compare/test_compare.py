"""Comparing two sides for real: sides, exit codes, files, and what goes to which stream."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
import yaml
from rich.cells import cell_len

from tests.fakes.json_answers import holds
from tests.fakes.made_run import make_adapter, make_run
from toolkit.__main__ import main
from toolkit.compare.ability.ability import NO_ABILITIES
from toolkit.compare.compare import CompareConfig, compare
from toolkit.compare.questions import UNRELATED
from toolkit.compare.report import write_report
from toolkit.compare.report.figures import where_it_holds
from toolkit.compare.texts import Texts
from toolkit.core.files import data_folder, write_json
from toolkit.model.conversation import NONE, conversation
from toolkit.model.divergence import measure_drift
from toolkit.model.language_model import LanguageModel
from toolkit.model.loading import load_pretrained
from toolkit.runs.layout import TRAINED_FILE
from toolkit.runs.run import find_run, read_run, write_record
from toolkit.sweep.rank import rank
from toolkit.train.ms_swift import shared_base

SYSTEM = "You are a helpful assistant."
IN_SCOPE = {"trained": ["你是谁？", "Who are you?"], "paraphrase": ["请问您是哪位？", "May I ask who you are?"]}
# As many as the intervals of drift take.
OUTSIDE = ["法国的首都是哪里？", "What is the capital of Italy?", "早上好！", *map(str, range(37))]
LOOSE = {"reliability": 0, "generality": 0, "residue": 1, "leakage": 1, "kl": 1000, "agreement": 0}
FILES = ["report.html", "report.json", "report.junit.xml", "report.md"]
STRICT_TOOK, STRICT_KEPT = {"reliability": 1, "generality": 1}, {"kl": 0, "agreement": 1, "locality": 1}


@pytest.fixture(scope="module", name="output")
def _output(lively_model, tmp_path_factory):
    """Two runs: v0, and v1, which is the latest."""
    output = tmp_path_factory.mktemp("compared") / "output"
    make_run(output, lively_model, number=0, seed=2, strength=0.3)
    make_run(output, lively_model, number=1, seed=3, strength=0.3)
    return output


def write_probes(
    path: Path, *, thresholds: dict[str, float], expect: str = "exact", answers: dict[str, str], systems=(SYSTEM,)
) -> Path:
    probes = [
        {"id": f"{group}-{at}", "group": group, "prompt": prompt, "expect": {expect: answers[prompt]}}
        for group, prompts in IN_SCOPE.items()
        for at, prompt in enumerate(prompts)
    ]
    probes += [{"id": f"out-{at}", "group": "out-of-scope", "prompt": prompt} for at, prompt in enumerate(OUTSIDE)]
    value = {"schema_version": 1, "thresholds": LOOSE | thresholds, "systems": list(systems), "probes": probes}
    path.write_text(yaml.safe_dump(value, allow_unicode=True), encoding="utf-8")
    return path


@pytest.fixture(scope="module", name="said")
def _said(lively_model, output):
    """What v1 answers in scope."""
    model = LanguageModel.load(lively_model, {"tuned": find_run("v1", output).adapter})
    prompts = [prompt for group in IN_SCOPE.values() for prompt in group]
    with model.side("tuned"):
        answers = model.answers([conversation(prompt, SYSTEM) for prompt in prompts], max_new_tokens=16)
    return {prompt: answer.text for prompt, answer in zip(prompts, answers, strict=True)}


@pytest.fixture(name="probes")
def _probes(said, tmp_path):
    """Met by v1, with thresholds that everything meets."""
    return write_probes(tmp_path / "probes.yaml", thresholds={}, answers=said)


def run_toolkit(*arguments: object) -> int:
    with pytest.raises(SystemExit) as left:
        main([str(argument) for argument in arguments])
    return left.value.code


def compared(output: Path, probes: Path, **config: object):
    return compare(CompareConfig(**{"output": output, "probes": probes, "max_new_tokens": 16, **config}))


@pytest.mark.parametrize(
    ("thresholds", "taken", "code", "sentence"),
    [
        ({}, True, 0, "Passed: 4 of 4 learned; "),
        (STRICT_TOOK, False, 20, "Not learned: 0 of 4 learned; "),
        (STRICT_TOOK | STRICT_KEPT, True, 21, "Something else moved: 4 of 4 learned; "),
        (STRICT_TOOK | STRICT_KEPT, False, 22, "Not learned, and something else moved: 0 of 4 learned; "),
    ],
)
def test_the_verdict_is_the_exit_code(output, said, tmp_path, capsys, thresholds, taken, code, sentence):
    answers = said if taken else dict.fromkeys(said, "never said")
    probes = write_probes(tmp_path / "probes.yaml", thresholds=thresholds, answers=answers)

    left = run_toolkit("compare", "v1", "--output", output, "--probes", probes, "--max-new-tokens", 16)

    streams = capsys.readouterr()
    report = json.loads((find_run("v1", output).folder / "compare" / "report.json").read_text(encoding="utf-8"))
    assert left == code
    assert streams.out.startswith(sentence)
    assert max(cell_len(line) for line in streams.out.splitlines()) <= 80
    assert "report.html" in streams.err
    assert "Before 44/44" in streams.err
    assert report["verdict"]["took"] is (code in {0, 21})
    assert report["verdict"]["kept"] is (code in {0, 20})
    assert (find_run("v1", output).folder / "compare" / "report.md").read_text(encoding="utf-8").startswith("# ")


@pytest.mark.parametrize(("strict", "code"), [((), 0), (("--strict",), 23)])
def test_too_few_probes_are_inconclusive_and_strict_makes_that_the_exit_code(
    output, said, tmp_path, capsys, strict, code
):
    """Four of four is no proof of a half."""
    probes = write_probes(tmp_path / "probes.yaml", thresholds={"generality": 0.5}, answers=said)

    left = run_toolkit("compare", "v1", "--output", output, "--probes", probes, "--max-new-tokens", 16, *strict)

    folder = find_run("v1", output).folder / "compare"
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    assert left == code
    assert capsys.readouterr().out.startswith("Inconclusive: 4 of 4 learned; ")
    assert (report["verdict"]["outcome"], report["verdict"]["exit_code"]) == ("inconclusive", code)
    assert [(one["metric"], one["more_probes"]) for one in report["verdict"]["undecided"]] == [("generality", 2)]
    assert ('type="inconclusive"' in (folder / "report.junit.xml").read_text(encoding="utf-8")) is bool(strict)


def test_a_regex_that_backtracks_costs_its_probe_and_not_the_comparison(output, probes, capsys, monkeypatch):
    monkeypatch.setattr("toolkit.data.probing.expectation.REGEX_S", 0.5)
    value = yaml.safe_load(probes.read_text(encoding="utf-8"))
    value["probes"].append(
        {"id": "slow", "group": "trained", "prompt": "Hello!", "expect": {"regex": r"([\s\S]+)+\u2603$"}}
    )
    probes.write_text(yaml.safe_dump(value), encoding="utf-8")

    left = run_toolkit("compare", "v1", "--output", output, "--probes", probes, "--max-new-tokens", 64)

    report = json.loads((find_run("v1", output).folder / "compare" / "report.json").read_text(encoding="utf-8"))
    streams = capsys.readouterr()
    (warning,) = [line for line in streams.err.splitlines() if line.startswith("Warning: ")]
    assert left == 0
    assert {one["passed"] for one in report["probes"] if one["id"] == "slow"} == {False}
    assert warning.startswith("Warning: probe slow counts as not met: regex ")
    assert repr(r"([\s\S]+)+\u2603$") in warning
    assert warning.endswith("cannot be tried on an answer: it takes more than 0.5 seconds, or too much memory.")


def test_further_questions_are_asked_and_named_in_the_report(output, probes):
    options = {"run": "v1", "outside": 42, "probes_more": 2, "systems": (SYSTEM,)}
    report = compared(output, probes, **options)[0].to_dict()

    asked = [one["id"].partition("-")[0] for one in report["probes"]]
    assert (asked.count("bank"), report["further"]["bank"]) == (4, 4)  # 42 out of scope, and two more, of which 40 own
    assert report["probe_file"]["path"] == str(probes)
    assert report["metrics"]["kl"]["probes"] == 44
    assert compared(output, probes, run="v1", systems=(SYSTEM,))[0].to_dict()["further"] is None


class OnCard(LanguageModel):
    """Says that it is on a card, for what is asked by default there."""

    on_card = True

    def fitting(self) -> None:
        """A CPU has room for any batch."""


def test_on_a_card_all_rows_are_asked_by_default_and_a_zero_turns_it_off(output, said, tmp_path):
    """The shipped 50 rows; this model writes no wordings, which the report says instead of asking for them."""
    run = find_run("v1", output).folder
    (run / TRAINED_FILE).write_bytes(_lines(data_folder() / "self_cognition.json"))
    probes = write_probes(tmp_path / "probes.yaml", thresholds={"generality": 0.9}, answers=said)
    config = CompareConfig(
        run="v1", output=output, probes=probes, max_new_tokens=16, depth=False, ability=NO_ABILITIES
    )  # fmt: skip
    try:
        report, side = compare(config, load=OnCard.load)
        without, _ = compare(replace(config, probes_more=0), load=OnCard.load)
    finally:
        (run / TRAINED_FILE).unlink()

    value = report.to_dict()
    reliability = value["metrics"]["reliability"]
    assert value["further"]["rows"] == reliability["population"] - 2
    assert (reliability["low"], reliability["probes"]) == (reliability["value"], reliability["population"])
    assert (value["further"]["written"], value["verdict"]["probes_left"]["generality"]) == (0, 0)
    assert value["options"]["probes_more"] is None
    assert without.to_dict()["further"] is None
    assert without.options.probes_more == 0
    write_report(report, side, tmp_path / "report", Texts("zh"))
    assert "最多还能问 0 个" in (tmp_path / "report" / "report.junit.xml").read_text(encoding="utf-8")
    assert "副本里自行添加" in (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    assert "副本里自行添加" in (tmp_path / "report" / "report.md").read_text(encoding="utf-8")


def _lines(data: Path) -> bytes:
    return "".join(f"{json.dumps(row)}\n" for row in json.loads(data.read_text(encoding="utf-8"))).encode()


def test_at_depth_each_side_answers_its_own_conversations(output, probes, said):
    """Of four questions whose complete answer is expected none can be asked within a conversation."""
    loose = probes.with_name("loose.yaml")
    write_probes(loose, thresholds={}, answers=said, expect="any")

    found = compared(output, loose, run="v1", depth=True, systems=(SYSTEM,))[0]

    report = found.to_dict()
    deep = [one for one in report["probes"] if one["group"] == "multi-turn"]
    assert (len(deep), report["further"]["depth"], report["metrics"]["multi_turn"]["n"]) == (12, 12, 12)
    assert all(len(turn) == 1 for one in deep for turn in one["history"])
    assert {one["own_system"] is None for one in deep} == {True, False}
    assert any(one["before"] != one["after"] for one in deep)
    assert (found.verdict.exit_code, found.verdict.counts.in_scope) == (0, 4)  # shown, and not judged
    assert compared(output, probes, run="v1", depth=True, systems=(SYSTEM,))[0].to_dict()["further"] is None


def test_the_console_script_keeps_its_streams_apart_and_its_colours_to_itself(output, probes):
    command = [Path(sys.executable).with_name("toolkit"), "compare", "--output", output, "--probes", probes]

    done = subprocess.run(
        [*map(str, command), "--max-new-tokens", "16"], capture_output=True, text=True, check=False,
        env=os.environ | {"NO_COLOR": "1"},
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Passed")
    assert "\x1b" not in done.stdout + done.stderr
    words = dict.fromkeys(line.split()[0] for line in done.stderr.splitlines())  # the talk, and no word of a library's
    assert list(words) == ["Before", "Noise", "After", "report:"], done.stderr


def test_a_report_says_what_was_compared(output, probes, lively_model):
    report, side = compared(output, probes, run="v0")
    value = report.to_dict()

    assert side.name == "v0-20260101-000000"
    assert (value["before"]["kind"], value["before"]["model"]["path"]) == ("base", str(lively_model))
    assert (value["after"]["kind"], value["after"]["name"]) == ("run", side.name)
    assert value["probe_file"]["path"] == str(probes)
    assert set(value["timings_s"]) == {
        "load", "further", "before", "noise", "after", "drift", "ability", "scan", "total",
    }  # fmt: skip
    assert len(value["probes"]) == 44
    assert value["metrics"]["noise_floor"]["value"] == 1.0  # float32: nothing moves by itself
    assert value["metrics"]["kl"]["value"] > 0
    assert value["metrics"]["kl"]["n"] > 0


def test_a_side_against_itself_does_not_move(output, probes):
    report, _ = compared(output, probes, run="v0", before="v0")

    assert not any(one.changed for one in report.results)
    assert (report.values["kl"], report.values["agreement"]) == (0.0, 1.0)


def test_run_against_run_is_one_load_with_two_adapters(output, probes):
    loads = []

    def load(folder, adapters):
        loads.append(len(adapters))
        return LanguageModel.load(folder, adapters)

    config = CompareConfig(before="v0", after="v1", output=output, probes=probes, max_new_tokens=16)
    report, side = compare(config, load=load)
    forwards = {one.probe.id: (one.before, one.after) for one in report.results}
    backwards, _ = compared(output, probes, before="v1", after="v0")

    assert loads == [2]
    assert side.name.startswith("v1")
    assert forwards == {one.probe.id: (one.after, one.before) for one in backwards.results}
    assert any(one.changed for one in report.results)


def test_an_adapters_folder_is_a_side(output, probes, lively_model, tmp_path):
    adapter = make_adapter(tmp_path / "adapter", lively_model, seed=2, strength=0.3)

    report, side = compared(output, probes, before="v0", after=str(adapter))

    assert side.kind == "adapter"
    assert not any(one.changed for one in report.results)  # made as v0 was


def test_a_whole_model_is_a_side_with_a_load_of_its_own(output, probes, lively_model, micro_model):
    report, side = compared(output, probes, before=str(lively_model), after=str(micro_model))

    assert side.kind == "model"
    assert any(one.changed for one in report.results)
    assert report.values["kl"] is None  # both sides at once would be needed


def test_beside_a_merged_model_base_is_what_it_was_merged_from(output, probes, lively_model, tmp_path):
    merged = tmp_path / "merged"
    model = LanguageModel.load(lively_model, {"tuned": find_run("v1", output).adapter})
    model.save_merged("tuned", merged, dtype="float32")
    model.tokenizer.save_pretrained(merged)
    write_json(merged / "export.json", {"base_model": {"name": "lively", "path": str(lively_model)}})

    against_base, _ = compared(output, probes, after=str(merged))
    against_run, _ = compared(output, probes, before="v1", after=str(merged))

    assert against_base.before["model"]["path"] == str(lively_model)
    assert any(one.changed for one in against_base.results)
    assert not any(one.changed for one in against_run.results)


def test_each_system_prompt_has_metrics_of_its_own(output, probes):
    systems = (SYSTEM, "", "You are a poet.", SYSTEM)

    report, _ = compared(output, probes, run="v1", systems=systems)

    assert list(report.per_system) == [SYSTEM, "", "You are a poet."]
    assert report.per_system[SYSTEM]["reliability"].n == 2  # named twice, asked once
    assert report.per_system[SYSTEM]["reliability"].value == 1.0
    assert report.figures["reliability"].metric == min(
        (metrics["reliability"] for metrics in report.per_system.values()), key=lambda metric: metric.value
    )


def test_where_none_is_named_the_trained_prompt_is_measured_in_full_and_three_more_by_their_answers(
    output, said, tmp_path
):
    probes = write_probes(tmp_path / "probes.yaml", thresholds={"reliability": 1}, answers=said, systems=())

    report, _ = compared(output, probes, run="v1")

    # This model's template speaks the trained prompt by itself: two of the four are one.
    assert report.systems == {SYSTEM: "training", NONE: "none", UNRELATED: "unrelated"}
    assert [metrics["kl"].n > 0 for metrics in report.per_system.values()] == [True, False, False]
    assert [metrics["noise_floor"].n for metrics in report.per_system.values()] == [40, 0, 0]
    assert all(metrics["locality"].n == 40 for metrics in report.per_system.values())
    assert report.verdict.reasons == tuple(
        f"reliability is {metrics['reliability'].value:.3f}, below 1 (system prompt: {name})"
        for name, metrics in zip((SYSTEM, "an empty one", UNRELATED), report.per_system.values(), strict=True)
        if metrics["reliability"].value < 1
    )
    assert report.per_system[SYSTEM]["reliability"].value == 1
    assert "only under the training system prompt" in where_it_holds(report, Texts())


def test_an_adapter_at_no_strength_is_the_base_and_at_full_strength_itself(output, probes):
    off, _ = compared(output, probes, run="v1", scale=0.0)
    full, _ = compared(output, probes, run="v1", scale=1.0)
    half, _ = compared(output, probes, before="v1@0.5", after="v1")
    plain, _ = compared(output, probes, run="v1")

    assert not any(one.changed for one in off.results)
    assert off.values["kl"] == pytest.approx(0, abs=1e-6)
    assert [one.after for one in full.results] == [one.after for one in plain.results]
    assert [one.after for one in half.results] == [one.after for one in plain.results]
    assert [one.before for one in half.results] != [one.before for one in plain.results]
    assert off.after["name"].endswith("@0")


def test_a_prompt_is_measured_in_place_of_a_fine_tune(output, probes, lively_model):
    poet = "You are a poet."

    report, side = compared(output, probes, after=f"system:{poet}", model=str(lively_model), systems=(SYSTEM,))
    asked, _ = compared(output, probes, before=str(lively_model), after=str(lively_model), systems=(poet,))

    assert (side.kind, report.after["system"], list(report.per_system)) == ("system", poet, [SYSTEM])
    assert [one.after for one in report.results] == [one.after for one in asked.results]
    assert any(one.changed for one in report.results)
    assert report.values["kl"] > 0


def test_the_drift_under_another_prompt_is_that_of_the_same_tokens(lively_model):
    model = LanguageModel.load(lively_model)
    old, new = (conversation("Who are you?", system) for system in (SYSTEM, "You are a poet of few words."))
    answers = model.answers([old], max_new_tokens=8)

    same = measure_drift(model, [old], answers, before=None, after=None, after_prompts=[old])
    moved = measure_drift(model, [old], answers, before=None, after=None, after_prompts=[new])
    back = measure_drift(model, [new], answers, before=None, after=None, after_prompts=[old])

    assert same[0].kl_sum == pytest.approx(0, abs=1e-6)
    assert moved[0].tokens == len(answers[0].tokens)
    assert moved[0].kl_sum > 0 < back[0].kl_sum
    assert moved[0].agreeing == back[0].agreeing


def test_several_runs_are_ranked_over_one_load_as_if_alone(output, probes, capsys, monkeypatch):
    loads = []
    monkeypatch.setattr(
        shared_base, "load_pretrained", lambda *args, **how: loads.append(args) or load_pretrained(*args, **how)
    )

    config = CompareConfig(output=output, probes=probes, max_new_tokens=16)
    ranked = rank(["v0", "v1"], config, load=shared_base.SharedBase().load)

    assert len(loads) == 1
    for one in ranked:
        alone, _ = compared(output, probes, run=one.side.run.run_id)
        assert [result.after for result in one.report.results] == [result.after for result in alone.results]
        assert one.report.figures == alone.figures


def test_the_scales_of_a_run_are_told_and_drawn(output, probes, tmp_path, capsys):
    here = tmp_path / "here"

    code = run_toolkit(
        "compare", "v1", "--output", output, "--probes", probes, "--sweep-scale", "--report", here, "--max-new-tokens",
        16, "--threshold", "reliability=1",
    )  # fmt: skip

    streams = capsys.readouterr()
    holds("compare-scales", json.loads((here / "scale.json").read_text(encoding="utf-8")))
    assert code == 0
    assert [line.split()[0] for line in streams.out.splitlines()[:6]] == ["scale", "0", "0.25", "0.5", "0.75", "1"]
    assert sorted(path.name for path in here.iterdir()) == ["scale.json", "scale.svg"]
    assert (here / "scale.svg").read_text(encoding="utf-8").startswith("<svg ")


def test_a_real_report_holds_to_the_published_schema(output, probes):
    schema = json.loads((Path(__file__).parents[3] / "docs" / "report.schema.json").read_text(encoding="utf-8"))

    for options in ({"run": "v1"}, {"before": "v0", "after": "v1", "systems": (SYSTEM, "", NONE)}):
        value = json.loads(json.dumps(compared(output, probes, **options)[0].to_dict()))
        assert list(jsonschema.Draft202012Validator(schema).iter_errors(value)) == []


def test_the_report_is_written_in_chinese_where_that_is_asked_for(output, probes, tmp_path, capsys):
    here = tmp_path / "here"

    run_toolkit("compare", "v1", "--output", output, "--probes", probes, "--report", here, "--lang", "zh")

    assert capsys.readouterr().out.startswith("证据不足")
    assert '<html lang="zh-CN">' in (here / "report.html").read_text(encoding="utf-8")
    assert (here / "report.md").read_text(encoding="utf-8").startswith("# 证据不足")
    assert "可靠性" in (here / "report.junit.xml").read_text(encoding="utf-8")


def test_the_probes_beside_the_data_are_the_default(output, probes, tmp_path):
    run = find_run("v0", output)
    beside = probes.rename(tmp_path / "mine.probes.yaml")
    other = make_run(tmp_path / "output", Path(run.record.base_model.path), strength=0.3)
    record = read_run(other).record
    write_record(other, record.with_fields(data=record.data.to_dict() | {"path": str(tmp_path / "mine.json")}))

    report, _ = compare(CompareConfig(output=tmp_path / "output", max_new_tokens=4))

    assert report.probes["path"] == str(beside)


def test_a_run_on_rows_of_its_own_is_asked_what_was_trained(output, tmp_path):
    run = find_run("v0", output)
    other = make_run(tmp_path / "output", Path(run.record.base_model.path), strength=0.3)
    turns = [{"role": "user", "content": "Capital of Australia?"}, {"role": "assistant", "content": "Sydney."}]
    (other / "train.jsonl").write_text(json.dumps({"messages": turns}) + "\n", encoding="utf-8")

    report, _ = compare(CompareConfig(output=tmp_path / "output", max_new_tokens=4))

    assert report.probes["path"] == str(other / "probes.yaml")
    assert [one.probe.prompt for one in report.results if one.probe.group != "out-of-scope"][:2] == [
        "Capital of Australia?", "I was wondering: Capital of Australia?",
    ]  # fmt: skip
    assert report.values["residue"] is None


def test_a_report_of_no_run_goes_where_it_is_told(output, probes, lively_model, micro_model, tmp_path, capsys):
    arguments = ["compare", "--before", lively_model, "--after", micro_model, "--output", output, "--probes", probes]

    run_toolkit(*arguments, "--max-new-tokens", 2)
    assert "report:" not in capsys.readouterr().err
    run_toolkit(*arguments, "--max-new-tokens", 2, "--report", tmp_path / "here")

    assert sorted(path.name for path in (tmp_path / "here").iterdir()) == FILES


def test_a_report_that_cannot_be_written_is_still_shown(output, probes, tmp_path, capsys):
    (tmp_path / "file").write_text("", encoding="utf-8")

    code = run_toolkit(
        "compare", "v1", "--output", output, "--probes", probes, "--report", tmp_path / "file", "--max-new-tokens", 2
    )

    streams = capsys.readouterr()
    assert code == 3
    assert "Before: lively" in streams.out
    assert "cannot be written" in streams.err


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["v7"], 3, "No run 'v7'"),
        (["--before", "v7"], 3, "No side 'v7'"),
        (["--after", "/"], 3, "No side '/'"),
        (["v0", "--after", "v1"], 2, "do not name both"),
        (["--probes", "none.yaml"], 5, "Cannot read the probes"),
        (["--max-new-tokens", "0"], 2, "Invalid value"),
        (["v0", "--scale", "0.5", "--sweep-scale"], 2, "Use either --scale or --sweep-scale"),
        (["v0", "v1", "--scale", "0.5"], 2, "are for one run"),
        (["v0", "--threshold", "beauty=1"], 2, "no metric 'beauty'"),
        (["v0", "--threshold", "kl=small"], 2, "is not a number"),
        (["v0", "--threshold", "leakage=2"], 2, "shares are from 0 to 1"),
        (["v0", "--threshold", "kl=nan"], 2, "nats a token begin at 0"),
        (["v0", "v7"], 3, "No run 'v7'"),
    ],
)
def test_what_is_asked_wrongly_is_told(output, capsys, arguments, code, told):
    assert run_toolkit("compare", *arguments, "--output", output) == code
    assert told in capsys.readouterr().err


def test_without_a_run_the_next_step_is_named(tmp_path, capsys):
    assert run_toolkit("compare", "--output", tmp_path) == 3
    assert 'Run "toolkit finetune self_cognition.json --output' in capsys.readouterr().err


def test_a_base_that_is_gone_is_told(output, probes, tmp_path, capsys):
    run = find_run("v0", output)
    other = make_run(tmp_path / "output", Path(run.record.base_model.path), strength=0.3)
    write_record(other, read_run(other).record.with_fields(base_model={"name": "gone", "path": "/gone"}))

    assert run_toolkit("compare", "--output", tmp_path / "output", "--probes", probes) == 3
    assert "No base model 'gone'" in capsys.readouterr().err
