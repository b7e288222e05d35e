"""GGUF: what an export needs, and refuses before anything is written."""

from pathlib import Path

import pytest

from toolkit.compare.sides import Side
from toolkit.core.errors import ConfigError, ExportError
from toolkit.export.formats.base import Backends, Llama
from toolkit.export.formats.gguf import Gguf, file_name
from toolkit.model.base_model import BaseModel

CONFIG = {"model_type": "qwen2", "hidden_size": 256, "intermediate_size": 512, "dtype": "bfloat16"}


@pytest.fixture(name="folder")
def _folder(tmp_path):
    return tmp_path


def side(folder: Path, **config: object) -> Side:
    base = BaseModel(name="My model (v2)", path=folder, config=CONFIG | config, weight_bytes=2_000_000)
    return Side(kind="run", name="v3-20260101-000000", model=base)


def backends(version: str | None) -> Backends:
    return Backends(llama=Llama(version=lambda: version, require_convertible=lambda _folder, _kind: None))


def test_without_llama_cpp_an_export_is_refused_before_anything_is_written(folder):
    with pytest.raises(ConfigError, match=r"llama-cpp-python.*is not installed.*setup-formats.*--unchecked"):
        Gguf("q8_0").require(side(folder), backends(None))
    Gguf("q8_0", unchecked=True).require(side(folder), backends(None))


def test_a_k_quant_needs_llama_cpp_also_unchecked(folder):
    with pytest.raises(ConfigError, match=r"q4_k_m needs llama\.cpp.*--quantization q8_0"):
        Gguf("q4_k_m", unchecked=True).require(side(folder), backends(None))


def test_rows_that_no_block_fits_are_refused_up_front(folder):
    with pytest.raises(ExportError, match=r"q8_0 needs rows in multiples of 32, and intermediate_size is 500.*f16"):
        Gguf("q8_0").require(side(folder, intermediate_size=500), backends("1"))
    Gguf("f16").require(side(folder, intermediate_size=500), backends("1"))


def test_rows_that_a_k_quant_stores_in_more_bits_are_noted_up_front(folder):
    (note,) = Gguf("q4_k_m").require(side(folder, hidden_size=896), backends("1"))

    assert "multiples of 256, and the model has hidden_size 896" in note
    assert Gguf("q4_k_m").require(side(folder), backends("1")) == ()
    assert Gguf("q8_0").require(side(folder, hidden_size=896), backends("1")) == ()


def test_a_window_that_llama_cpp_ignores_is_noted_up_front(folder):
    mistral = side(folder, model_type="mistral", sliding_window=4096)

    assert "ignores the model's window of 4096 tokens" in Gguf("f16").require(mistral, backends("1"))[0]


def test_a_k_quant_needs_disk_for_the_f16_file_too(folder):
    needed = {kind: Gguf(kind).bytes_needed(side(folder)) for kind in ("f16", "q8_0", "q4_k_m")}

    assert needed["q8_0"] < needed["f16"] == 2_000_000 < needed["q4_k_m"]


def test_a_file_name_has_the_usual_form(folder):
    assert file_name(side(folder), "q8_0") == "My-model-v2--v3-20260101-000000-Q8_0.gguf"


def test_in_the_image_the_way_on_leads_to_the_host(folder, monkeypatch):
    monkeypatch.setenv("TOOLKIT_IMAGE", "unknown")
    with pytest.raises(ConfigError, match=r"make export RUNTIME=local.*--unchecked"):
        Gguf("q8_0").require(side(folder), backends(None))
