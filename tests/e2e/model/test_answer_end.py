"""What training taught ends an answer, whatever the base model's files say; the context is a limit."""

import json
import shutil
from pathlib import Path

import pytest

from tests.fakes.command import ROOT, run_here
from tests.fakes.made_run import make_run
from toolkit.core.errors import DataError
from toolkit.model.conversation import Messages
from toolkit.model.language_model import LanguageModel


def _ending_with_endoftext(base: Path, folder: Path) -> Path:
    shutil.copytree(base, folder)
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": 0, "pad_token_id": 0}), encoding="utf-8")
    path = folder / "tokenizer_config.json"
    settings = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(settings | {"eos_token": "<|endoftext|>"}), encoding="utf-8")
    return folder


def test_the_template_s_end_ends_answers_of_a_base_that_names_another(lively_model: Path, tmp_path: Path):
    base = _ending_with_endoftext(lively_model, tmp_path / "base")
    run = make_run(tmp_path / "output", base)

    ended = run_here("export", run, "--output", tmp_path / "output")

    assert LanguageModel.load(base).end_tokens == [0, 2]
    assert ended.code == 0, ended.err
    written = json.loads((run / "merged" / "generation_config.json").read_text(encoding="utf-8"))
    assert written["eos_token_id"] == [0, 2]


def test_a_conversation_past_the_context_is_refused(micro_model: Path, tmp_path: Path):
    model = LanguageModel.load(micro_model)
    long: Messages = [{"role": "user", "content": "x " * 5000}]

    with pytest.raises(DataError, match="the model reads 4096"):
        list(model.stream(long, max_new_tokens=5))
    with pytest.raises(DataError, match="the model reads 4096"):
        model.answers([long], max_new_tokens=5)
    run = make_run(tmp_path / "output", micro_model)
    assert run_here("chat", run, "--output", tmp_path / "output", stdin="x " * 5000 + "\n").code == 5


@pytest.mark.parametrize("command", ["finetune", "check"])
def test_rows_longer_than_the_context_are_refused(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    tiny = (ROOT / "toolkit" / "train" / "recipes" / "tiny.yaml").read_text(encoding="utf-8")
    (tmp_path / "long.yaml").write_text(tiny.replace("tokens: 2048", "tokens: 4096"), encoding="utf-8")

    ended = run_here(command, "self_cognition.json", "--model", "tiny-qwen2", "--recipe", "long.yaml")

    assert ended.code == 3, ended.err
    assert "reads at most 2048 tokens" in ended.err
