"""Records for other machines: without any path of this one, and otherwise unchanged."""

import json
from pathlib import Path

import pytest

from toolkit.export.portable import languages, local_paths, redact_paths, redacted


def test_every_path_is_cut_to_its_last_part() -> None:
    record = {
        "command": "toolkit finetune '/home/my name/data.json' --output=/mnt/out --model Qwen/Qwen2.5-7B -c ~/a/b.yaml",
        "base_model": {"path": "/root/models/Qwen", "repository": "Qwen/Qwen2.5-7B-Instruct"},
        "data": {"path": "../private/data.json", "mix": [{"source": "/data/mix.jsonl"}, {"source": "owner/set"}]},
        "recipe": {"keep_data": "/data/keep.jsonl"},
        "adapter": {"path": "checkpoint-3"},
        "error": "cannot read /home/me/secret",
        "after": {"name": "/home/me/adapter", "adapter": "/home/me/adapter"},
    }

    assert redacted(record) == {
        "command": "toolkit finetune data.json --output=out --model Qwen/Qwen2.5-7B -c b.yaml",
        "base_model": {"path": "Qwen", "repository": "Qwen/Qwen2.5-7B-Instruct"},
        "data": {"path": "data.json", "mix": [{"source": "mix.jsonl"}, {"source": "owner/set"}]},
        "recipe": {"keep_data": "keep.jsonl"},
        "adapter": {"path": "checkpoint-3"},
        "error": "withheld: it may name files of the machine that trained",
        "after": {"name": "adapter", "adapter": "adapter"},
    }


def test_what_was_asked_and_answered_stays() -> None:
    probe = {"prompt": "/etc/passwd", "before": "/root is a home", "after": "~/x", "system": "./y", "error": None}

    assert redacted({"probes": [probe]}) == {"probes": [probe]}


def test_a_command_that_cannot_be_read_is_withheld() -> None:
    assert "/home" not in redacted({"command": "toolkit finetune '/home/me"})["command"]


def test_a_text_loses_the_paths_that_its_record_names() -> None:
    record = {"after": {"name": "/home/me/a"}, "probe_file": {"path": "/home/me/a/probes.yaml"}}
    text = "After: `/home/me/a`, probes: /home/me/a/probes.yaml, asked: /etc/passwd"

    assert redact_paths(text, local_paths(record)) == "After: `a`, probes: probes.yaml, asked: /etc/passwd"


@pytest.mark.parametrize(
    ("prompts", "codes"),
    [
        (["你是谁？", "Who are you?", "你叫什么名字？"], ["zh", "en"]),
        (["Who are you?"], ["en"]),
        (["あなたは誰ですか", "누구세요"], ["ja", "ko"]),
        (["123"], []),
    ],
)
def test_the_languages_are_those_of_the_trained_prompts(tmp_path: Path, prompts: list[str], codes: list[str]) -> None:
    rows = [{"messages": [{"role": "user", "content": one}, {"role": "assistant", "content": "好"}]} for one in prompts]
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows) + '{"cut off'
    (tmp_path / "train.jsonl").write_text(text, encoding="utf-8")

    assert languages(tmp_path) == codes


def test_without_rows_no_language_is_guessed(tmp_path: Path) -> None:
    assert languages(tmp_path) == []
