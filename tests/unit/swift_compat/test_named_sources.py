"""Hubs' models and data sets among what a command names, and paths that do not exist."""

import shlex

import pytest

from tests.fakes.surroundings import QWEN, TRAINED, FakeSurroundings
from toolkit.core.errors import DataError, ModelError
from toolkit.swift_compat.command_line import parse
from toolkit.swift_compat.named_sources import HubName, hub_names, unreachable


def names_on_a_hub(command: str, **there) -> list[HubName]:
    return hub_names(parse(shlex.split(command)), FakeSurroundings(**there))


def test_a_hubs_data_sets_are_distinguished_from_files():
    command = (
        "sft --model Qwen2.5-7B-Instruct --dataset AI-ModelScope/alpaca-gpt4-data-zh#500 hf::a/b:sub general.json#20"
    )

    assert names_on_a_hub(command) == [
        HubName(name="AI-ModelScope/alpaca-gpt4-data-zh", kind="data set", hub="ModelScope"),
        HubName(name="a/b", kind="data set", hub="Hugging Face"),
    ]


def test_a_model_comes_from_modelscope_unless_hugging_face_is_chosen():
    command = "infer --model Qwen/Qwen2.5-7B-Instruct"

    assert [name.hub for name in names_on_a_hub(command)] == ["ModelScope"]
    assert [name.hub for name in names_on_a_hub(f"{command} --use_hf true")] == ["Hugging Face"]
    assert [name.hub for name in names_on_a_hub(command, prefers_hugging_face=True)] == ["Hugging Face"]


@pytest.mark.parametrize(
    ("command", "failure", "message"),
    [
        (f"sft --model {QWEN} --dataset genral.json#20", DataError,
         "No data set genral.json here. Name an existing file, or owner/name on a hub."),
        ("infer --model Qwen2.5-7B", ModelError,
         "No model folder Qwen2.5-7B here. Name the folder with its config.json."),
        ("infer --adapters output/v0-YYYYMMDD-HHMMSS/checkpoint-NN", ModelError,
         f"No adapter output/v0-YYYYMMDD-HHMMSS/checkpoint-NN here. The last one is {TRAINED}."),
    ],
)  # fmt: skip
def test_a_path_that_is_not_there_is_refused_at_once(command, failure, message):
    with pytest.raises(failure) as refused:
        names_on_a_hub(command)

    assert str(refused.value) == message


def test_an_unreachable_hub_is_named_with_what_was_to_come_from_it():
    names = [
        HubName(name="a/b", kind="data set", hub="ModelScope"),
        HubName(name="c/d", kind="data set", hub="ModelScope"),
    ]

    refused = unreachable(names, "www.modelscope.cn", "no route")

    assert isinstance(refused, DataError)
    assert str(refused) == (
        "Cannot reach www.modelscope.cn (ModelScope) for the data sets a/b, c/d: no route. "
        "Name local files instead, or allow the network (the image runs without it unless asked)."
    )
