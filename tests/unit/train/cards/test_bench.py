"""The table of times on one's own machine: its rows, what stands beside them, and what is sent in."""

import json
from dataclasses import replace

import pytest
import yaml

from tests.fakes.json_answers import holds
from toolkit.core.errors import TrainingError
from toolkit.train.cards import bench as module
from toolkit.train.cards.bench import COMPARE, PROBES, TRAIN, Bench, Measured, lay_out, published

SIZES = {"hidden_size": 3584, "num_hidden_layers": 28}


def entry(name: str, wall_s: float, train_s: float = 4.0) -> Measured:
    return Measured(name=name, wall_s=wall_s, train_s=train_s, steps=40, peak_memory_bytes=2**30)


FOUND = Bench(
    date="2026-11-29", model="mine", sizes=SIZES, hardware={"device": "cuda", "name": "A card"}, versions={},
    entries=(
        entry(TRAIN, 16.0), entry(COMPARE, 22.0), entry(TRAIN, 90.0, 8.0), entry(COMPARE, 24.0), entry(TRAIN, 17.0),
    ),
)  # fmt: skip


def test_the_rows_are_medians_of_what_was_measured():
    rows = {name: here for name, here, _ in FOUND.rows()}

    assert rows == {
        "training only": "4.0 s", "from the command to the adapter": "17 s",
        "… plus 48 questions before and after": "23 s", "steps a second": "10", "reserved on the card": "1.0 GiB",
    }  # fmt: skip


def test_our_figures_stand_beside_those_of_a_base_model_of_the_same_sizes():
    beside = next(FOUND.rows())[2]

    assert [one.hardware for one in FOUND.published] == ["NVIDIA H100 80GB HBM3"]
    assert beside == ["4.2 s"]


def test_nothing_stands_beside_a_base_model_that_we_never_measured():
    other = replace(FOUND, sizes={"hidden_size": 1, "num_hidden_layers": 1})

    assert all(others == [] for _, _, others in other.rows())


def test_the_embedded_model_has_figures_too():
    assert "tiny-qwen2" in {one.model for one in published()}


def test_what_is_sent_in_is_json():
    told = json.loads(json.dumps(FOUND.to_dict()))

    assert told["entries"][0]["wall_s"] == 16.0
    assert set(told) == {"what", "date", "model", "sizes", "hardware", "versions", "entries"}


def test_the_probes_are_taken_from_all_of_the_shipped_ones(tmp_path):
    lay_out(tmp_path)

    probes = yaml.safe_load((tmp_path / "self_cognition.probes.yaml").read_text(encoding="utf-8"))["probes"]
    assert len({one["id"] for one in probes}) == PROBES
    assert len({one["group"] for one in probes}) > 2


def test_a_process_that_fails_is_an_error_with_its_last_line():
    with pytest.raises(TrainingError, match=r"toolkit verify ended with exit code \d: .*nowhere"):
        module._run(("verify", "nowhere"))


def test_what_is_sent_in_has_a_schema():
    assert holds("bench", FOUND.to_dict())["what"] == "toolkit bench"
