"""Quantising through ms-swift: bitsandbytes for real, on the CPU."""

import json
import logging

import pytest

from tests.fakes.made_run import make_run, probes_of
from toolkit.core.errors import ExportError
from toolkit.core.files import data_folder
from toolkit.export.export import export
from toolkit.export.formats.base import Backends, ExportConfig, Quantiser
from toolkit.export.ms_swift import quantise
from toolkit.model.language_model import LanguageModel
from toolkit.runs.run import find_run

TINY = data_folder() / "tiny-qwen2"
PROMPTS = ["你是谁？", "Who are you?", "法国的首都是哪里？", "What is the capital of France?", "Hello!"]


@pytest.fixture(name="output")
def _output(tmp_path):
    make_run(tmp_path / "output", TINY, seed=2, strength=0.05)
    (tmp_path / "probes.yaml").write_text(probes_of(PROMPTS), encoding="utf-8")
    return tmp_path / "output"


def exported(output, **config):
    backends = config.pop("backends", None)
    return export(
        ExportConfig(output=output, probes=output.parent / "probes.yaml", to="bnb", **config), backends=backends
    )


@pytest.mark.parametrize(("kind", "bits"), [("nf4", "load_in_4bit"), ("int8", "load_in_8bit")])
def test_bitsandbytes_weights_are_answered_by_transformers_and_smaller(output, kind, bits):
    found = exported(output, quantisation=kind)

    run = find_run(None, output).folder
    assert found.folder == run / f"bnb-{kind}"
    assert {path.name for path in run.iterdir()} == {"checkpoint-1", "run.json", f"bnb-{kind}"}
    assert {path.name for path in found.folder.iterdir()} == {
        "config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json",
        "chat_template.jinja", "CHANGES.md", "export.json",
    }  # fmt: skip
    assert json.loads((found.folder / "config.json").read_text(encoding="utf-8"))["quantization_config"][bits] is True
    assert (found.folder / "tokenizer.json").read_bytes() == (TINY / "tokenizer.json").read_bytes()
    assert found.parity["by"] == "transformers"
    assert found.parity["same"] >= 3
    assert 0.01 < found.parity["largest_logit_difference"] < 10
    assert str(output) not in "".join(
        path.read_text(encoding="utf-8") for path in found.folder.glob("*.json") if path.name != "export.json"
    )


def test_weights_that_answer_differently_are_rejected(output):
    def load(folder, adapters):
        model = LanguageModel.load(folder, adapters)
        if not adapters:
            model.model.get_input_embeddings().weight.data.zero_()
        return model

    with pytest.raises(ExportError, match=r"answers differently: .* of 5 answers are the same"):
        exported(output, backends=Backends(load=load))
    assert (find_run(None, output).folder / "bnb-nf4.rejected" / "model.safetensors").is_file()


def test_an_error_of_ms_swift_is_shown_and_leaves_nothing(output):
    def failing(job):
        (job.model / "config.json").write_text("{}", encoding="utf-8")
        quantise(job)

    with pytest.raises(ExportError, match=r"ms-swift could not quantise with bnb: .*--debug"):
        exported(output, backends=Backends(quantiser=Quantiser(quantise=failing)))
    assert {path.name for path in find_run(None, output).folder.iterdir()} == {"checkpoint-1", "run.json"}


def test_bitsandbytes_prints_nothing(output, capfd):
    exported(output)

    logging.shutdown()
    streams = capfd.readouterr()
    assert "kernels" not in streams.err
    assert "MatMul" not in streams.err
