"""One micro model for all: the libraries' import is what these tests cost."""

import copy
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.micro_model import make_micro_model
from toolkit.core.startup import prepare_environment

prepare_environment()  # before any of the libraries is imported


@pytest.fixture(scope="session")
def micro_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a Qwen2 model with two layers and random weights."""
    return make_micro_model(tmp_path_factory.mktemp("contract") / "model")


@pytest.fixture(name="base")
def _base(micro_model: Path) -> Any:
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(micro_model, dtype="float32").eval()


@pytest.fixture(name="tokenizer", scope="session")
def _tokenizer(micro_model: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(micro_model)


@pytest.fixture(name="tuned")
def _tuned(base: Any) -> Any:
    """The base with an adapter named "tuned", whose weights are not zero."""
    import torch
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(1)
    model = get_peft_model(
        copy.deepcopy(base), LoraConfig(r=2, target_modules="all-linear", init_lora_weights=False), adapter_name="tuned"
    )
    return model.eval()


@pytest.fixture(name="calls", scope="session")
def _calls() -> Callable[[Any], set[str]]:
    """The names that a function's own code uses, decorators apart: shows that a hook is still called."""

    def names(function: Any) -> set[str]:
        code = inspect.unwrap(function).__code__
        inner = [constant for constant in code.co_consts if inspect.iscode(constant)]
        return {name for each in (code, *inner) for name in each.co_names}

    return names


@pytest.fixture(name="parameters", scope="session")
def _parameters() -> Callable[[Any], list[str]]:
    def names(function: Any) -> list[str]:
        return list(inspect.signature(function).parameters)

    return names
