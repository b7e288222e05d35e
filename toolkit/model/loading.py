"""Loads models, tokenizers and adapters from their folders with transformers and peft."""

import copy
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from logging import ERROR, getLogger
from pathlib import Path
from typing import Any

from toolkit.core.documents import read_json
from toolkit.core.errors import ModelError, first_line
from toolkit.core.read_ahead import prefetch, prefetch_libraries
from toolkit.core.startup import restore_gc
from toolkit.core.suggestion import suggestion
from toolkit.model.adapter import require_applied, require_plain_lora
from toolkit.model.adapter_config import require_bounded_adapter
from toolkit.model.chat_template import render_in_child
from toolkit.model.device import Device, find_device
from toolkit.model.families.family import family_in
from toolkit.model.four_bits import _four_bits, pin_cpu_weight_layout, require_bitsandbytes

# Attributes of a tokenizer that copies share: its vocabulary, and the native code that looks tokens up.
VOCABULARY = {"_tokenizer", "_vocab", "_merges"}


def load_pretrained(folder: Path, device: Device | None = None, *, in_4bit: bool = False) -> tuple[Any, Any]:
    """A model and its tokenizer, from safetensors only and without code from the folder.

    Raises ModelError, and ConfigError if bitsandbytes is needed and not installed. Only those who need it import it.
    """
    if in_4bit or read_json(folder / "config.json").get("quantization_config"):
        require_bitsandbytes()
    prefetch(folder)
    prefetch_libraries()
    hide_scipy()
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    from toolkit.model.families.float16 import steady  # it imports torch, which the light commands are without

    restore_gc()
    forbid_remote_code()
    render_in_child()
    remember_tokenizers()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    getLogger("bitsandbytes").setLevel(ERROR)  # peft imports it if it is installed, and it logs its choice of kernels
    device = device or find_device()
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            folder, dtype=device.precision, device_map=device.kind, local_files_only=True,
            use_safetensors=True, trust_remote_code=False, output_loading_info=True,
            attn_implementation=family_in(folder).attention_implementation,
            **(_four_bits(device.precision) if in_4bit else {}),
        )  # fmt: skip
    except Exception as error:
        if type(error).__name__ == "OutOfMemoryError":  # torch's
            raise ModelError(
                f"The model in {folder} does not fit on the card.",
                next='Use a larger card, or the processor: "CUDA_VISIBLE_DEVICES= toolkit …".',
            ) from error
        raise ModelError(
            f"The model in {folder} cannot be loaded: {type(error).__name__}: {first_line(error)}.",
            next=f'Check its files with "{suggestion("verify", Path(folder))}", or download it again.',
        ) from error
    model, found = loaded
    _require_all(folder, found["missing_keys"])
    if in_4bit:
        pin_cpu_weight_layout(model)
    steady(model)
    return model, tokenizer


@contextmanager
def refused_gaps(folder: Path) -> Iterator[None]:
    """Within, a model that a library loads from the folder has all its tensors. Raises ModelError."""
    from transformers import PreTrainedModel

    end_loading = PreTrainedModel._finalize_model_loading  # noqa: SLF001  # tests/contract has it

    def end(*given: Any) -> Any:
        found = end_loading(*given)
        _require_all(folder, found.missing_keys)
        return found

    PreTrainedModel._finalize_model_loading = staticmethod(end)  # noqa: SLF001
    try:
        yield
    finally:
        PreTrainedModel._finalize_model_loading = staticmethod(end_loading)  # noqa: SLF001


def _require_all(folder: Path, missing: Iterable[str]) -> None:
    """Transformers fills what is missing with random numbers. Raises ModelError."""
    if names := sorted(missing):
        more = len(names) - 1
        further = f" and {more} more {'tensor' if more == 1 else 'tensors'}" if more else ""
        raise ModelError(
            f"{folder} is incomplete: {names[0]}{further} missing.",
            next="Download it again.",
        )


def hide_scipy() -> None:
    """Before a model is imported: transformers imports scipy for the losses of object detection, if it sees it."""
    from transformers import utils

    utils.is_scipy_available = lambda: False


def remember_tokenizers() -> None:
    """From here on a folder's tokenizer is read once in this process, and whoever loads it again gets a copy.

    Reading that of Qwen2.5 takes half a second, and a training reads it twice: ms-swift loads it with the model again.
    """
    from transformers import AutoTokenizer

    read = AutoTokenizer.from_pretrained
    if getattr(read, "remembers", False):
        return
    kept: dict[str, tuple[dict[Path, tuple[int, int]], Any]] = {}

    def load(name: Any, *given: Any, **how: Any) -> Any:
        folder = Path(name)
        usual = not given and how.keys() <= {"local_files_only", "trust_remote_code"}
        if not usual or how.get("trust_remote_code") or not folder.is_dir():
            return read(name, *given, **how)
        every = (*folder.iterdir(), *folder.glob("additional_chat_templates/*"))
        files = _files(path for path in every if path.is_file() and path.suffix != ".safetensors")
        before, tokenizer = kept.get(str(name), (None, None))
        if before != files:
            tokenizer = read(name, **how)
            kept[str(name)] = files, tokenizer
        return clone_tokenizer(tokenizer)

    load.remembers = True  # type: ignore[attr-defined]
    AutoTokenizer.from_pretrained = load


def clone_tokenizer(tokenizer: Any) -> Any:
    """A deep copy that shares the 150 000 tokens: copying them takes longer than a training step."""
    return copy.deepcopy(tokenizer, {id(one): one for name, one in vars(tokenizer).items() if name in VOCABULARY})


def make_ready(folder: Path) -> None:
    """Has the folder's weights in the device's memory for the first model that is loaded from these files here.

    They are as they are stored: how they are loaded, and in which type, stays transformers' own. Its tokenizer is read,
    too. Raises ModelError.
    """
    from safetensors import safe_open
    from transformers import AutoTokenizer, PreTrainedModel

    kind, weights = find_device().kind, {}
    forbid_remote_code()
    remember_tokenizers()
    try:
        AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        before = _files(sorted(folder.glob("*.safetensors")))
        for path in before:
            with safe_open(path, framework="pt", device=kind) as file:
                weights.update({name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118  # not a dict
    except Exception as error:
        raise ModelError(f"The model in {folder} cannot be read: {first_line(error)}.") from error
    ready = [weights]
    from_files = PreTrainedModel._load_pretrained_model  # noqa: SLF001  # tests/contract has it

    def load(model: Any, state: Any, files: Any, config: Any, *more: Any) -> Any:
        found = ready.pop() if ready else None  # once: who has it may change it, as a merge does
        fits = state is None and not config.is_quantized and files and _files(map(Path, files)) == before
        if not fits or found is None:
            return from_files(model, state, files, config, *more)
        # Before it reads files it takes as much of a card as they need: beside weights that are there, twice that.
        with without_reserve():
            return from_files(model, found, files, config, *more)

    PreTrainedModel._load_pretrained_model = staticmethod(load)  # noqa: SLF001


@contextmanager
def without_reserve() -> Iterator[None]:
    """Within, transformers takes no memory of a card before it loads a model: it would be as much as all of it."""
    from transformers import modeling_utils

    reserve = modeling_utils.caching_allocator_warmup
    modeling_utils.caching_allocator_warmup = lambda *_: None
    try:
        yield
    finally:
        modeling_utils.caching_allocator_warmup = reserve


def _files(paths: Iterable[Path]) -> dict[Path, tuple[int, int]]:
    """When each was changed, and its size: another model may take the same name."""
    return {path.resolve(): (path.stat().st_mtime_ns, path.stat().st_size) for path in paths}


def forbid_remote_code() -> None:
    """From here on no library in this process imports code from a model's folder, even if a caller permits it."""
    from transformers import dynamic_module_utils
    from transformers.generation import utils

    for module in (dynamic_module_utils, utils):  # each has the function by this name, through which all code goes
        module.get_class_in_module = _refuse_code


def _refuse_code(name: str, *_: Any, **_how: Any) -> None:
    raise ModelError(
        f"A model asks to run its own Python code ({name}).",
        next="The toolkit never runs such code: use a model that transformers supports itself.",
    )


def with_adapter(model: Any, name: str, adapter: Path) -> Any:
    """The model with another adapter, as a peft model: all of the adapter, or ModelError."""
    import warnings

    from peft import PeftModel

    require_bounded_adapter(adapter, (module for module, _ in model.named_modules()))
    require_plain_lora(adapter)
    options = {"local_files_only": True, "low_cpu_mem_usage": True}  # the latter skips random weights to be replaced
    try:
        with warnings.catch_warnings():
            # Otherwise layers that the file lacks silently keep random weights.
            warnings.filterwarnings("error", message="Found missing adapter keys")
            if isinstance(model, PeftModel):
                model.load_adapter(str(adapter), adapter_name=name, **options)
            else:
                model = PeftModel.from_pretrained(model, str(adapter), adapter_name=name, **options)
    except Exception as error:
        raise ModelError(
            f"The adapter in {adapter} does not load onto this base model: {first_line(error)}.",
            next="Use it with the base model that it was trained on.",
        ) from error
    require_applied(model, name, adapter)
    _require_finite(model, name, adapter)
    return model


def _require_finite(model: Any, name: str, adapter: Path) -> None:
    """Raises ModelError if a weight of the adapter is infinite or not a number: every answer would be broken."""
    import torch

    weights = [weight for path, weight in model.named_parameters() if name in path.split(".")]
    if weights and not torch.stack([torch.isfinite(weight).all() for weight in weights]).all():
        raise ModelError(
            f"The adapter in {adapter} has weights that are infinite or not a number.",
            next="Use another copy of it, or train again with a lower learning rate.",
        )


def untie_adapted(model: Any) -> None:
    """Gives the head a weight of its own where it shares the embedding's and the adapter changes one of them.

    `model`: a peft model that is about to be merged. Its config then says so, and saving writes both.
    """
    import torch

    base = model.get_base_model()
    modules = base.get_input_embeddings(), base.get_output_embeddings()
    embedding, head = (getattr(one, "original_module", getattr(one, "base_layer", one)) for one in modules)
    if embedding.weight is head.weight and (embedding, head) != modules:
        head.weight = torch.nn.Parameter(head.weight.detach().clone(), requires_grad=False)
        base.config.tie_word_embeddings = False
