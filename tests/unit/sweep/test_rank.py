"""Ranking runs, and one adapter at several strengths, with a made-up model."""

import json
from contextlib import nullcontext

import pytest
import yaml

from tests.fakes.json_answers import holds
from tests.fakes.logits import logits_with_kl
from tests.fakes.model_folder import make_model_folder
from tests.fakes.run_record import run_record
from toolkit.cli.console.ranking import print_ranking, print_scales
from toolkit.compare.compare import CompareConfig
from toolkit.compare.texts import Texts
from toolkit.core.errors import ConfigError
from toolkit.model.language_model import Answer
from toolkit.runs.run import read_run, write_record
from toolkit.sweep.rank import SCALES, rank, sweep_scale, write_scales

PROBES = {
    "schema_version": 1,
    "thresholds": {"reliability": 0.9, "kl": 0.0101},
    "identity": {"new": ["Nova"]},
    "probes": [
        {"id": "t", "group": "trained", "prompt": "Who are you?", "expect": {"any": ["Nova"]}},
        *(
            {"id": f"t{at}", "group": "trained", "prompt": f"Who are you, {at}?", "expect": {"any": ["Nova"]}}
            for at in range(40)
        ),
        *({"id": f"o{at}", "group": "out-of-scope", "prompt": f"France {at}?"} for at in range(200)),
    ],
}


class FakeModel:
    """Takes from half strength on; drifts by its run's number, in hundredths, times the strength."""

    model, batch_size, on_card, others = None, 4, False, ()

    def __init__(self, number: int) -> None:
        self.number, self.scale = number, 0.0

    def side(self, adapter):
        self.scale = 0.0 if adapter is None else float(adapter.partition("@")[2] or 1)
        return nullcontext()

    def prompt_ids(self, messages):
        return list(str(messages).encode())

    def answers(self, prompts, **_):
        texts = ["Nova" if self.scale >= 0.5 and "you" in one[-1]["content"] else "Paris" for one in prompts]
        return [Answer(text=text, tokens=[1], margins=[1.0], first_logits=None) for text in texts]

    def answer_logits(self, prompts, answers):
        return logits_with_kl(answers, self.number * self.scale / 100)


@pytest.fixture(name="output")
def _output(tmp_path):
    """v0 to v3, finished."""
    base = make_model_folder(tmp_path / "base")
    (tmp_path / "mine.probes.yaml").write_text(yaml.safe_dump(PROBES))
    for number in range(4):
        folder = tmp_path / "output" / f"v{number}-20260101-00000{number}"
        adapter = folder / "checkpoint-1"
        adapter.mkdir(parents=True)
        (adapter / "adapter_model.safetensors").write_bytes(bytes([number]))
        for name in ("adapter_config.json", "trainer_state.json"):
            (adapter / name).write_text("{}")
        record = run_record(
            base_model={"name": "base", "path": str(base)}, recipe={"name": "keep", "system": ""},
            data={"path": str(tmp_path / "mine.json"), "sha256": "0" * 64, "rows": 1},
        )  # fmt: skip
        write_record(folder, record)
    return tmp_path / "output"


def load(_, adapters):
    return FakeModel(int(next(iter(adapters.values())).parent.name[1]))


def numbers(ranked):
    return [one.side.run.run_id[1] for one in ranked]


def test_those_that_pass_come_first_and_then_the_least_shortfall(output):
    ranked = rank(["v3", "v1", "v0", "v2"], CompareConfig(output=output), load=load)

    assert holds("compare-ranking", {"schema_version": 1, "ranking": [one.to_dict() for one in ranked]})

    assert numbers(ranked) == ["0", "1", "2", "3"]
    assert [one.report.verdict.passed for one in ranked] == [True, True, False, False]
    assert ranked[2].shortfall < ranked[3].shortfall


def test_a_run_named_twice_is_ranked_once(output):
    assert numbers(rank(["v1", "v1"], CompareConfig(output=output), load=load)) == ["1"]


def test_runs_with_different_probes_are_ranked_only_by_probes_that_are_named(output, tmp_path):
    run = output / "v1-20260101-000001"
    record = read_run(run).record
    write_record(run, record.with_fields(data=record.data.to_dict() | {"path": str(tmp_path / "other.json")}))

    with pytest.raises(ConfigError, match="different probes"):
        rank(["v0", "v1"], CompareConfig(output=output), load=load)
    config = CompareConfig(output=output, probes=tmp_path / "mine.probes.yaml")
    assert numbers(rank(["v0", "v1"], config, load=load)) == ["0", "1"]


def test_thresholds_of_the_caller_go_before_the_files(output):
    config = CompareConfig(output=output, thresholds={"kl": 0.5})

    assert all(one.report.verdict.passed for one in rank(["v0", "v3"], config, load=load))


def test_an_adapter_is_asked_from_off_to_full_strength(output):
    ranked = sweep_scale(CompareConfig(run="v1", output=output), load=load)

    assert [one.side.scale for one in ranked] == list(SCALES)
    assert [one.learned for one in ranked] == [0, 0, 1, 1, 1]
    assert [one.values["kl"] for one in ranked] == pytest.approx([0.0, 0.0025, 0.005, 0.0075, 0.01], abs=1e-6)
    assert [one.name for one in ranked][1:4:2] == ["v1-20260101-000001@0.25", "v1-20260101-000001@0.75"]


def test_the_scales_are_written_beside_the_report(output):
    ranked = sweep_scale(CompareConfig(run="v1", output=output), load=load)

    folder = write_scales(ranked, None)

    assert folder == output / "v1-20260101-000001" / "compare"
    assert [one["scale"] for one in json.loads((folder / "scale.json").read_text())["scales"]] == list(SCALES)
    plot = (folder / "scale.svg").read_text(encoding="utf-8")
    assert (plot.count('class="curve-dot"'), "at least 0.9" in plot, "at most 0.01" in plot) == (10, True, True)


def test_a_place_that_cannot_be_written_is_named(output, tmp_path):
    (tmp_path / "file").write_text("")
    ranked = sweep_scale(CompareConfig(run="v1", output=output), load=load)

    with pytest.raises(ConfigError, match="cannot be written"):
        write_scales(ranked, tmp_path / "file")


def test_the_table_names_the_best(output, capsys):
    print_ranking(rank(["v3", "v1"], CompareConfig(output=output), load=load), Texts())

    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[:3]] == ["run", "v1", "v3"]
    assert "Best: v1-20260101-000001" in lines
    headline = "Passed: 41 of 41 learned, asked only word for word; 0 of 200 unrelated answers leaked (limit 2 %), "
    printed = " ".join(" ".join(lines).split())
    assert f"{headline}0 changed." in printed
    assert "Chosen from 2 runs by these questions, it tends to look better than it is: " in printed


def test_the_table_of_scales_names_the_least_that_passes(output, capsys):
    print_scales(sweep_scale(CompareConfig(run="v1", output=output), load=load), Texts())
    assert "Least scale that passes: 0.5" in capsys.readouterr().out

    print_scales(sweep_scale(CompareConfig(run="v3", output=output, thresholds={"kl": 0.001}), load=load), Texts("zh"))
    assert "没有一个强度能通过。" in capsys.readouterr().out
