"""`toolkit replay` for real: the embedded model, from the run's folder alone, and with every part of it changed."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.fakes.command import Ended, run_here
from toolkit.core.files import data_folder
from toolkit.runs.comparison import METRICS
from toolkit.train.recipe import RECIPES

ROWS = [("Who are you?", "I am Larkspur."), ("你是谁？", "我是 Larkspur。"), ("Who made you?", "Acme made me."),
        ("Your name?", "Larkspur."), ("Hello", "Hello, I am Larkspur."), ("你好", "你好，我是 Larkspur。")]  # fmt: skip
QUESTIONS = [
    {"prompt": "May I ask your name?", "answer": "I am Larkspur.", "scope": "in"},
    {"prompt": "Who is the king?", "scope": "near"},
]
PROBES = [
    {"id": "t", "group": "trained", "prompt": "Who are you?", "expect": {"any": ["Larkspur"]}},
    {"id": "p", "group": "paraphrase", "prompt": "And who are you?", "expect": {"any": ["Larkspur"]}},
    {"id": "o", "group": "out-of-scope", "prompt": "What is 2 + 2?"},
]


@pytest.fixture(scope="module", name="trained")
def _trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with every part that a run can have, and compared; what it was made from is gone."""
    home = tmp_path_factory.mktemp("replay")
    data, keep, questions = home / "mine.json", home / "keep.jsonl", home / "questions.jsonl"
    data.write_text(json.dumps([{"instruction": one, "output": other} for one, other in ROWS]), encoding="utf-8")
    keep.write_text("".join(json.dumps({"prompt": f"Tell me about {n}."}) + "\n" for n in range(12)))
    questions.write_text("".join(json.dumps(one) + "\n" for one in QUESTIONS))
    (home / "mine.probes.yaml").write_text(yaml.safe_dump({"schema_version": 1, "probes": PROBES}))
    settings = {
        "keep_data": str(keep), "keep_rows": 4, "keep_max_new_tokens": 8, "epochs": 3, "batch_size": 2,
        "eval_split": 0.2, "stop_when_took": True, "stop_kl": 0.0, "question_rows": 2, "near_rows": 1, "min_steps": 0,
    }  # fmt: skip
    recipe = yaml.safe_load((RECIPES / "tiny.yaml").read_text(encoding="utf-8")) | settings
    (home / "mine.yaml").write_text(yaml.safe_dump(recipe, allow_unicode=True), encoding="utf-8")
    done = run_here(
        "finetune", data, "--model", "tiny-qwen2", "--recipe", home / "mine.yaml", "--questions", questions,
        "--output", home / "output", "--compare",
    )  # fmt: skip
    assert done.code in {0, 20, 21, 22}, done.err
    for path in (data, keep, questions, home / "mine.probes.yaml", home / "mine.yaml"):
        path.unlink()
    shutil.rmtree(home / "output" / ".cache")
    return next((home / "output").glob("v0-*"))


@pytest.fixture(name="folder")
def _folder(trained: Path, tmp_path: Path) -> Path:
    """A copy of the run, elsewhere."""
    return Path(shutil.copytree(trained, tmp_path / trained.name))


def record_of(folder: Path) -> dict[str, Any]:
    value: dict[str, Any] = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    return value


def replays(folder: Path, *options: object) -> Ended:
    return run_here("replay", folder, *options)


def edits(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    record = record_of(folder)
    change(record)
    (folder / "run.json").write_text(json.dumps(record), encoding="utf-8")


def test_a_run_is_replayed_bit_for_bit_from_its_folder_alone(folder: Path):
    done = replays(folder, "--json")

    assert done.code == 0, done.out + done.err
    found = json.loads(done.out)
    assert (found["outcome"], found["adapter"]["same"], found["loss"]) == ("same", True, None)
    assert found["adapter"]["sha256"] == record_of(folder)["adapter"]["sha256"]
    assert (found["figures"]["differences"], found["figures"]["other_answers"]) == ([], 0)
    assert (found["figures"]["count"], found["figures"]["probes"]) == (4 * len(METRICS), 12)
    again = Path(found["replay"])
    assert again.parent == folder / "replay"
    weights = [next(one.glob("checkpoint-*/adapter_model.safetensors")).read_bytes() for one in (folder, again)]
    assert weights[0] == weights[1]
    assert record_of(again)["train"]["loss"] == record_of(folder)["train"]["loss"]
    assert record_of(again)["train"]["development"] == record_of(folder)["train"]["development"] != []
    assert record_of(again)["train"]["eval_loss"] == record_of(folder)["train"]["eval_loss"] != []


def test_another_setting_in_the_record_is_found_out_by_its_first_step(folder: Path):
    edits(folder, lambda record: record["recipe"].update(learning_rate=record["recipe"]["learning_rate"] * 2))

    done = replays(folder)

    adapter, losses, figures, *_, last = done.out.splitlines()
    assert done.code == 24, done.out + done.err
    assert adapter.startswith("adapter: 56 of 56 tensors differ, first base_model.model.model.layers.0.")
    assert losses.startswith("losses: first differ in step 3: ")  # the rate of the first step is 0
    assert figures.startswith("figures: ")
    assert last == "Not replayed: the second run is not the first one."


def test_another_version_is_refused_and_with_here_compared_within_tolerances(folder: Path):
    edits(folder, lambda record: record["versions"].update(torch="1.13.0"))

    refused, here = replays(folder), replays(folder, "--here", "--json")

    assert refused.code == 3
    assert "was computed elsewhere: torch 1.13.0, here " in refused.err
    assert here.code == 0, here.out + here.err
    found = json.loads(here.out)
    assert found["outcome"] == "same"
    assert found["unlike"][0].startswith("torch 1.13.0, here ")


FILES = (
    "train.jsonl", "eval.jsonl", "development.jsonl", "questions.jsonl", "keep.jsonl",
    "checkpoint-*/adapter_model.safetensors", "checkpoint-*/adapter_config.json",
)  # fmt: skip


@pytest.mark.parametrize("pattern", FILES)
def test_a_byte_more_in_any_file_is_refused_and_the_file_named(folder: Path, pattern: str):
    [path] = folder.glob(pattern)
    with path.open("ab") as file:
        file.write(b" ")

    done = replays(folder)

    assert (done.code, done.out) == (3, "")
    assert f"{path} has changed since the training: its sha256 is " in done.err
    assert "Restore it from a copy of the run." in done.err
    assert not (folder / "replay").exists()


@pytest.mark.parametrize("pattern", [*FILES, "logging.jsonl"])
def test_a_missing_file_is_refused_and_named(folder: Path, pattern: str):
    [path] = folder.glob(pattern)
    path.unlink()

    done = replays(folder)

    assert done.code == 3
    assert f"{path} is missing" in done.err


def test_a_changed_log_is_refused(folder: Path):
    lines = (folder / "logging.jsonl").read_text().splitlines(keepends=True)
    at = next(number for number, line in enumerate(lines) if '"step": 2' in line and '"loss"' in line)
    changed = json.loads(lines[at]) | {"loss": 0.1}
    (folder / "logging.jsonl").write_text("".join([*lines[:at], json.dumps(changed) + "\n", *lines[at + 1 :]]))

    done = replays(folder)

    assert done.code == 3
    assert "logging.jsonl has another loss for step 2 than run.json" in done.err


def test_a_changed_report_and_changed_probes_are_refused(folder: Path):
    report, probes = folder / "compare" / "report.json", folder / "probes.yaml"
    good = probes.read_text(encoding="utf-8")
    probes.write_text(good.replace("2 + 2", "2 + 3"), encoding="utf-8")
    other_probes = replays(folder)
    probes.write_text(good, encoding="utf-8")
    report.write_text(report.read_text(encoding="utf-8").replace("2 + 2", "2 + 3"), encoding="utf-8")
    other_report = replays(folder)

    assert (other_probes.code, other_report.code) == (3, 3)
    assert f"{probes} has changed: the report was made with probes" in other_probes.err
    assert f"{report} cannot be used: it has changed since it was written" in other_report.err


def test_a_changed_base_model_is_refused(folder: Path, tmp_path: Path):
    base = Path(shutil.copytree(data_folder() / "tiny-qwen2", tmp_path / "tiny-qwen2"))
    weights = base / "model.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))

    done = replays(folder, "--model", base)

    assert done.code == 4
    assert f"{weights} is damaged: sha256 " in done.err
