"""Where two runs first differ: a step, a tensor, a figure."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from tests.fakes.answered import answered, report_on
from toolkit.data.probes import TRAINED
from toolkit.runs.comparison import ComparisonRecord
from toolkit.runs.first_difference import (
    FigureDifference,
    figure_differences,
    figures,
    loss_difference,
    other_answers,
    tensor_difference,
)


def saved(path: Path, **tensors: torch.Tensor) -> Path:
    save_file({name.replace("_at_", "."): tensor for name, tensor in tensors.items()}, path)
    return path


def test_the_same_losses_do_not_differ():
    assert loss_difference([2.0, 1.0], [2.0, 1.0]) is None
    assert loss_difference([], []) is None


def test_the_first_step_with_another_loss_is_found_and_the_largest_difference_of_all():
    found = loss_difference([4.0, 2.0, 0.5], [4.0, 1.0, 0.2])

    assert found is not None
    assert (found.step, found.first, found.second) == (2, 2.0, 1.0)
    assert found.largest == pytest.approx(0.5)  # relative above 1, absolute below


@pytest.mark.parametrize(("first", "second"), [([2.0], [2.0, 1.0]), ([2.0, 1.0], [2.0])])
def test_a_missing_step_differs(first: list[float], second: list[float]):
    found = loss_difference(first, second)

    assert found is not None
    assert (found.step, {found.first, found.second}) == (2, {None, 1.0})


def test_the_same_tensors_do_not_differ_whatever_the_file_looks_like(tmp_path: Path):
    one, other = tmp_path / "one", tmp_path / "other"
    save_file({"a": torch.ones(2)}, one)
    save_file({"a": torch.ones(2)}, other, metadata={"format": "pt"})

    assert one.read_bytes() != other.read_bytes()
    assert tensor_difference(one, other) is None


def test_the_first_tensor_that_differs_is_the_one_of_the_lowest_layer(tmp_path: Path):
    values = {f"layers_at_{number}": torch.full((2, 2), float(number + 1)) for number in (2, 9, 10)}
    changed = values | {"layers_at_10": torch.zeros(2, 2), "layers_at_9": torch.full((2, 2), 10.5)}

    found = tensor_difference(saved(tmp_path / "a", **values), saved(tmp_path / "b", **changed))

    assert found is not None
    assert (found.name, found.count, found.of) == ("layers.9", 2, 3)
    assert found.largest == 11.0
    assert found.relative == pytest.approx(((4 * 0.25 + 4 * 121) / (4 * 9 + 4 * 100 + 4 * 121)) ** 0.5)


@pytest.mark.parametrize(
    ("second", "reason"),
    [
        ({}, "not in the repeated adapter"),
        ({"a": torch.ones(2), "A": torch.ones(2)}, "not in the recorded adapter"),
        ({"a": torch.ones(3)}, "[2] torch.float32, then [3] torch.float32"),
        ({"a": torch.ones(2, dtype=torch.bfloat16)}, "[2] torch.float32, then [2] torch.bfloat16"),
    ],
)
def test_a_difference_that_is_not_about_numbers_has_a_reason(
    tmp_path: Path, second: dict[str, torch.Tensor], reason: str
):
    found = tensor_difference(saved(tmp_path / "a", a=torch.ones(2)), saved(tmp_path / "b", **second))

    assert found is not None
    assert (found.reason, found.relative) == (reason, None)


def test_a_damaged_file_is_a_value_error(tmp_path: Path):
    broken = tmp_path / "broken"
    broken.write_bytes(b"not an adapter")

    with pytest.raises(ValueError, match=r"\w"):
        tensor_difference(saved(tmp_path / "a", a=torch.ones(2)), broken)


def comparison(after: str) -> ComparisonRecord:
    content = report_on(answered(TRAINED, "Qwen", after, name="who")).to_dict()
    return ComparisonRecord.from_dict(content)


def test_the_same_reports_have_the_same_figures():
    assert figure_differences(comparison("Nova"), comparison("Nova")) == []
    assert other_answers(comparison("Nova"), comparison("Nova")) == 0


def test_a_figure_that_differs_is_named_with_its_system_prompt_and_both_values():
    [found] = [one for one in figure_differences(comparison("Nova"), comparison("Qwen")) if "reliability" in one.name]

    assert found == FigureDifference(
        name="reliability under 'You are a helpful assistant.'", first=1.0, second=0.0
    )  # fmt: skip
    assert found.distance == 1.0
    assert found.name in figures(comparison("Nova"))
    assert other_answers(comparison("Nova"), comparison("Qwen")) == 1


def test_what_only_one_report_has_has_no_distance():
    assert FigureDifference(name="kl", first=0.5, second=None).distance is None
