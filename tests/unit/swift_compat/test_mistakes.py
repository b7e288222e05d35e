"""What is refused before ms-swift is started, and what is left to it."""

import shlex

import pytest

from tests.fakes.surroundings import QWEN, TRAINED, FakeSurroundings
from toolkit.core.errors import ToolkitError
from toolkit.swift_compat.command_line import parse
from toolkit.swift_compat.mistakes import require_command, require_plain
from toolkit.swift_compat.surroundings import Adapter

COMMANDS = "app, deploy, eval, export, infer, merge-lora, pt, rlhf, rollout, sample, sft, web-ui"
NO_MODEL = "--model is missing or empty. Name its folder, such as --model Qwen2.5-7B-Instruct, or owner/name."
NO_DATASET = "--dataset is missing or empty. Name a file, such as --dataset self_cognition.json."
SFT = f"sft --model {QWEN} --dataset self_cognition.json"


def refused(command: str, **there) -> tuple[int, str] | None:
    line, surroundings = parse(shlex.split(command)), FakeSurroundings(**there)
    try:
        require_command(line, surroundings)
        require_plain(line, surroundings)
    except ToolkitError as error:
        return error.exit_code, str(error)
    return None


@pytest.mark.parametrize(
    ("command", "exit_code", "message"),
    [
        ("bogus", 2, f"No such command 'bogus'. The commands are {COMMANDS}."),
        ("inferr --model x", 2, f"No such command 'inferr'. Did you mean 'infer'? The commands are {COMMANDS}."),
        ("--model x", 2, f"No such command '--model'. The commands are {COMMANDS}."),
        ("sft train.yaml", 3, "No configuration file train.yaml here. Name an existing one."),
        (f"sft --modle {QWEN}", 2, "sft has no option --modle. Did you mean '--model'? swift sft --help lists them."),
        (f"sft --train_typ lora --model {QWEN}", 2,
         "sft has no option --train_typ. Did you mean '--train_type'? swift sft --help lists them."),
        (f"sft {QWEN}", 2,
         f"sft takes options only, and '{QWEN}' is none. Each begins with two hyphens, as in --model FOLDER."),
        ("infer", 2, f"infer needs a base model: {NO_MODEL}"),
        ("sft --model --dataset self_cognition.json", 2, f"sft needs a base model: {NO_MODEL}"),
        (f"sft --model {QWEN}", 2, f"sft needs rows: {NO_DATASET}"),
        (f"merge-lora --model {QWEN}", 2,
         "merge-lora needs an adapter: --adapters is missing. Name a checkpoint's folder."),
        (f"{SFT} --resume_from_checkpoint output/v0", 3, "No file or folder output/v0 here. Name an existing one."),
        (f"{SFT} --deepspeed mine.json", 3, "No file or folder mine.json here. Name an existing one."),
    ],
)  # fmt: skip
def test_a_plain_mistake_is_named_with_what_to_do(command: str, exit_code: int, message: str):
    with_files = {"options": frozenset({*FakeSurroundings().options, "resume_from_checkpoint", "deepspeed"})}

    assert refused(command, **with_files) == (exit_code, message)


@pytest.mark.parametrize(
    "command",
    [
        SFT,
        f"{SFT} --learning_rat 1e-4 --no_lora_rank",  # argparse's own: a beginning, and a switch that is off
        f"{SFT} --learning-rate=1e-4",
        f"{SFT} --unheard_of 1 --ignore_args_error true",
        f"infer --adapters {TRAINED}",
        "sft --model a/b --cached_dataset cached --ignore_args_error true",
    ],
)
def test_what_ms_swift_may_take_is_left_to_it(command: str):
    assert refused(command) is None


def test_options_are_not_judged_where_ms_swift_is_not_found():
    assert refused(f"{SFT} --unheard_of 1", options=frozenset()) is None


def test_an_adapter_whose_base_is_gone_asks_for_it():
    plain = {"plain": Adapter(model=None, paths=("/gone/base",))}

    assert refused("infer --adapters plain", adapters=plain) == (
        4, "The base model of plain is not here (/gone/base). Name its folder with --model."
    )  # fmt: skip
    assert refused(f"infer --adapters plain --model {QWEN}", adapters=plain) is None
