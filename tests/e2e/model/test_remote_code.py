"""A model folder's own Python code never runs: not by any command, and not by the libraries if a check were missed."""

import json
import shutil
from contextlib import suppress
from pathlib import Path

import pytest

from tests.fakes.command import run_here
from tests.fakes.made_run import make_run

EVIL = """
from pathlib import Path
import traceback
Path({canary!r}).open("a").write("".join(traceback.format_stack()))
class Evil: pass
class EvilTokenizer: pass
"""
COMMANDS = {
    "check": ("check", "{data}", "--model", "{model}"),
    "finetune": ("finetune", "{data}", "--recipe", "article", "--model", "{model}", "--output", "{output}"),
    "sweep": ("sweep", "{data}", "--epochs", "1", "--model", "{model}", "--output", "{output}"),
    "compare": ("compare", "v0", "--model", "{model}", "--output", "{output}"),
    "chat": ("chat", "v0", "--model", "{model}", "--output", "{output}"),
    "serve": ("serve", "v0", "--model", "{model}", "--output", "{output}", "--port", "0"),
    "export": ("export", "v0", "--model", "{model}", "--output", "{output}"),
    "make-probes": ("make-probes", "{data}", "--reworded", "--model", "{model}"),
}
PLANTED = {
    "config.json": {"auto_map": {"AutoConfig": "evil.Evil"}},
    "tokenizer_config.json": {"auto_map": {"AutoTokenizer": ["evil.EvilTokenizer", None]}},
    "processor_config.json": {"auto_map": {"AutoProcessor": "evil.Evil"}},
    "preprocessor_config.json": {"auto_map": {"AutoImageProcessor": "evil.Evil"}},
    "generation_config.json": {"custom_generate": "evil"},
    "any.json": {"deep": [{"auto_map": {"AutoModel": "evil.Evil"}}]},
}


@pytest.fixture(name="places")
def _places(micro_model: Path, tmp_path: Path) -> dict[str, Path]:
    model = tmp_path / "model"
    shutil.copytree(micro_model, model)
    for name in ("evil.py", "modeling_evil.py", "custom_generate/generate.py"):
        (model / name).parent.mkdir(exist_ok=True)
        (model / name).write_text(EVIL.format(canary=str(tmp_path / "it-ran")))
    data = tmp_path / "data.json"
    data.write_text(json.dumps([{"instruction": "Hi", "output": "Hello"}]))
    make_run(tmp_path / "output", micro_model)
    return {"model": model, "data": data, "output": tmp_path / "output"}


def plant(model: Path, name: str) -> None:
    old = json.loads((model / name).read_text()) if (model / name).is_file() else {}
    (model / name).write_text(json.dumps(old | PLANTED[name]))


def ran(model: Path) -> str:
    """The canary: libraries copy a folder's code into their cache and run it there, so it lies beside the model."""
    canary = model.with_name("it-ran")
    return canary.read_text() if canary.exists() else ""


@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_runs_code_of_a_model_folder(places, command):
    shutil.rmtree(places["model"] / "custom_generate")
    plant(places["model"], "processor_config.json")

    done = run_here(*(part.format(**places) for part in COMMANDS[command]))

    assert (done.code, ran(places["model"])) == (4, "")
    assert "its own Python code (processor_config.json)" in done.err + done.out


@pytest.mark.parametrize("name", [*PLANTED, "custom_generate"])
def test_code_is_refused_wherever_a_configuration_names_it(places, name):
    if name != "custom_generate":
        shutil.rmtree(places["model"] / "custom_generate")
        plant(places["model"], name)

    done = run_here(*(part.format(**places) for part in COMMANDS["finetune"]))

    assert (done.code, ran(places["model"])) == (4, "")
    assert f"its own Python code ({name})" in done.err


@pytest.mark.parametrize("name", PLANTED)
def test_the_encoder_runs_no_code_either(places, name):
    """Behind the refusal: ms-swift itself trusts a folder's code unless it is told not to."""
    from toolkit.train.ms_swift import encoder

    plant(places["model"], name)
    with suppress(Exception):  # it may refuse the model, or load it without the code
        encoder(places["model"], 512)

    assert ran(places["model"]) == ""
