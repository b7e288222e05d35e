"""Options that several commands share."""

from collections import defaultdict
from pathlib import Path

import click
import pytest

from tests.fakes.command import run_here
from toolkit.cli import COMMANDS, cli

SHARED = ("output", "as_json", "recipe", "base_only", "force", "systems", "max_new_tokens")


TRAIN, TEACH = ("finetune", "none.json"), ("teach", "You are Fern.")
CONTRADICTIONS: list[tuple[tuple[str, ...], str]] = [
    ((*TRAIN, "--keep-weight", "0", "--keep", "mine.jsonl"), "--keep-weight 0 contradicts --keep:"),
    (("lab", "none.json", "--keep-weight", "0", "--keep-rows", "4"), "--keep-weight 0 contradicts --keep-rows:"),
    ((*TRAIN, "--recipe", "article", "--keep-rows", "4"), "Recipe article (keep_weight 0) contradicts --keep-rows:"),
    ((*TRAIN, "--questions", "none", "--near-rows", "8"), "--questions none contradicts --near-rows:"),
    ((*TEACH, "--questions", "none", "--question-rows", "8"), "--questions none contradicts --question-rows:"),
    ((*TRAIN, "--thinking", "off", "--keep-thought-tokens", "9"), "--thinking off contradicts --keep-thought-tokens:"),
    ((*TEACH, "--rows-only", "--epochs", "3", "--questions", "none"),
     "--rows-only contradicts --questions and --epochs:"),
    (("compare", "--ability", "--no-ability"), "contradicts"),
    (("compare", "v1", "--no-scan", "--strict", "--scan"), "contradicts"),
    (("compare", "--no-ability", "--ability-limit", "2"), "--no-ability contradicts --ability-limit:"),
    (("compare", "--threshold", "kl=0.1", "--threshold", "kl=0.2"),
     "--threshold kl=0.1 contradicts --threshold kl=0.2:"),
    (("compare", "--after", "v3@0.5", "--scale", "0.7"), "--after v3@0.5 contradicts --scale:"),
    (("compare", "--after", "v3@0.5", "--sweep-scale"), "--after v3@0.5 contradicts --sweep-scale:"),
    (("export", "--to", "gguf", "--unchecked", "--probes", "mine.yaml"), "--unchecked contradicts --probes:"),
    (("launch", "--slurm", "--image", "a", "--claim", "b", "--", "mine.json"),
     "--slurm contradicts --image and --claim:"),
    (("launch", "--slurm", "--print", "--", "mine.json"), "contradicts"),
]  # fmt: skip
CONSISTENT: list[tuple[str, ...]] = [
    (*TRAIN, "--keep-weight", "0", "--near-rows", "0"),
    (*TRAIN, "--recipe", "article", "--keep-weight", "3", "--keep-rows", "4"),
    (*TRAIN, "--questions", "none", "--near-rows", "0", "--question-rows", "0"),
    (*TRAIN, "--thinking", "off", "--thought-rows", "6"),
    (*TRAIN, "--epochs", "3", "--min-steps", "40"),
    ("compare", "--no-ability", "--benchmark", "gsm8k=none.jsonl", "--ability-limit", "2"),
    ("compare", "--no-ability", "--threshold", "kl=0.1", "--threshold", "kl=0.1", "--threshold", "leakage=0"),
    ("compare", "--depth", "--no-scan", "--no-ability"),
]


@pytest.mark.parametrize(("arguments", "words"), CONTRADICTIONS)
def test_options_that_contradict_each_other_are_wrong_usage(arguments: tuple[str, ...], words: str, tmp_path: Path):
    ended = run_here(*arguments, *(() if arguments[0] == "launch" else ("--output", tmp_path)))

    assert (ended.code, ended.out, list(tmp_path.iterdir())) == (2, "", [])
    assert words in ended.err
    assert "leave out one or the other." in ended.err


@pytest.mark.parametrize("arguments", CONSISTENT, ids=" ".join)
def test_options_that_go_together_are_not_refused(arguments: tuple[str, ...], tmp_path: Path):
    """None of these data sets and runs exists, which is another error."""
    ended = run_here(*arguments, "--output", tmp_path)

    assert ended.code in {3, 4, 5}
    assert "contradicts" not in ended.err


def test_a_file_of_questions_is_not_written_as_rows(tmp_path: Path):
    (tmp_path / "questions.jsonl").write_text('{"prompt": "Who?", "scope": "near"}\n', encoding="utf-8")

    ended = run_here("check", tmp_path / "questions.jsonl", "--write", tmp_path / "rows.jsonl", "--columns", "a=b")

    assert ended.code == 2
    assert "questions.jsonl has questions, not rows: leave out --columns, --write." in ended.err


def parameters() -> dict[str, set[str]]:
    """The help texts of each option, over all commands and subcommands."""
    found: dict[str, set[str]] = defaultdict(set)
    for name in COMMANDS:
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        for each in [command, *(command.commands.values() if isinstance(command, click.Group) else ())]:
            for parameter in each.params:
                if isinstance(parameter, click.Option):
                    found[str(parameter.name)].add(str(parameter.help))
    return found


@pytest.mark.parametrize("name", SHARED)
def test_a_shared_option_has_the_same_help_everywhere(name: str):
    assert len(parameters()[name]) == 1


def test_the_base_model_has_one_help_with_two_defaults():
    starts = {text.partition("  [default")[0] for text in parameters()["model"]}

    assert starts == {"Base model: a folder or a name."}
