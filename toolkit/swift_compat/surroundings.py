"""What a command finds where it runs: model folders, adapters, earlier runs, a card."""

import os
import re
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

FIELD = re.compile(r"^    (\w+) *:(?! *$)", re.MULTILINE)  # of a dataclass: `    name: type = default`
QWEN2 = "Qwen2ForCausalLM"  # config.json, of Qwen2 and Qwen2.5 alike


@dataclass(frozen=True, kw_only=True)
class ModelFolder:
    """`template`: a Qwen2 model's, else "". `has_type`: ms-swift 4 reads model type and template from its args.json."""

    template: str = "qwen2_5"
    has_type: bool = False


@dataclass(frozen=True, kw_only=True)
class Adapter:
    """`model`: the base model as training named it; `paths`: where it was then; `has_type`: as in ModelFolder."""

    model: str | None = None
    paths: tuple[str, ...] = ()
    has_type: bool = False


class Surroundings(Protocol):
    @property
    def has_card(self) -> bool: ...
    @property
    def prefers_hugging_face(self) -> bool: ...
    def exists(self, name: str) -> bool: ...
    def model(self, name: str) -> ModelFolder | None:
        """None if there is no such folder."""
        ...

    def adapter(self, name: str) -> Adapter | None: ...
    def elsewhere(self, name: str, *, is_model: bool) -> str | None:
        """Where the toolkit has the model or the data set of this name; None where it has not."""
        ...

    def checkpoints(self) -> list[str]:
        """The adapters below output/, oldest first."""
        ...

    @property
    def options(self) -> AbstractSet[str]:
        """The names of every command's options; none where ms-swift is not found."""
        ...


class LocalSurroundings:
    """The working directory of this process. Unreadable files are ignored: ms-swift reports them."""

    @property
    def has_card(self) -> bool:
        return _torch_supports_cards() and _has_device()

    @property
    def prefers_hugging_face(self) -> bool:
        return os.environ.get("USE_HF", "0").lower() in {"1", "true", "yes", "y", "on", "t"}

    def exists(self, name: str) -> bool:
        return os.path.exists(Path(name).expanduser())  # noqa: PTH110  # Path.exists raises below another's folder

    def model(self, name: str) -> ModelFolder | None:
        folder = Path(name).expanduser()
        config = _json(folder / "config.json")
        if not config:
            return None
        template = template_of(_chat_template(folder)) if QWEN2 in (config.get("architectures") or []) else ""
        return ModelFolder(template=template, has_type=_has_type(_json(folder / "args.json")))

    def adapter(self, name: str) -> Adapter | None:
        folder = Path(name).expanduser()
        config, arguments = _json(folder / "adapter_config.json"), _json(folder / "args.json")
        if not config:
            return None
        paths = (arguments.get("model_dir"), config.get("base_model_name_or_path"))
        return Adapter(
            model=arguments.get("model"), paths=tuple(str(path) for path in paths if path),
            has_type=_has_type(arguments),
        )  # fmt: skip

    def elsewhere(self, name: str, *, is_model: bool) -> str | None:
        from toolkit.core.files import MODELS, data_folder, home

        place = home() / MODELS / name if is_model else data_folder() / name
        there = (place / "config.json") if is_model else place
        return str(place) if name and self.exists(str(there)) else None

    def checkpoints(self) -> list[str]:
        found = Path("output").glob("**/checkpoint-*/adapter_config.json")
        return [str(path.parent) for path in sorted(found, key=lambda path: path.stat().st_mtime)]

    @property
    def options(self) -> AbstractSet[str]:
        """Read from the source of the dataclasses that are its options, since importing them takes seconds."""
        swift, transformers = (_folder(find_spec(package)) for package in ("swift", "transformers"))
        if swift is None or transformers is None:
            return frozenset()
        sources = [*swift.glob("**/*arg*.py"), *transformers.glob("training_args*.py")]
        return frozenset(
            name for path in sources if not {"megatron", "_megatron"} & {*path.parts}
            for name in FIELD.findall(path.read_text(encoding="utf-8"))
        )  # fmt: skip


def template_of(chat_template: str) -> str:
    """ms-swift's name for the chat template of a Qwen2 folder; "" for another family's."""
    if not chat_template:
        return "qwen2_5"
    if "<|im_start|>" not in chat_template or "<think>" in chat_template:  # DeepSeek's distillations, QwQ
        return ""
    if "reason step by step" in chat_template:
        return "qwen2_5_math"
    is_newer = "Alibaba Cloud" in chat_template or "<tool_call>" in chat_template
    return "qwen2_5" if is_newer else "qwen"


def _chat_template(folder: Path) -> str:
    try:
        return (folder / "chat_template.jinja").read_text(encoding="utf-8")
    except (OSError, ValueError):
        return str(_json(folder / "tokenizer_config.json").get("chat_template") or "")


def _has_type(arguments: dict[str, Any]) -> bool:
    version = str(arguments.get("swift_version") or "0").partition(".")[0]
    return version.isdigit() and int(version) >= 4  # noqa: PLR2004  # the ms-swift that reads it


def _json(path: Path) -> dict[str, Any]:
    from toolkit.core.documents import read_json

    try:
        value = read_json(path)
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _folder(spec: ModuleSpec | None) -> Path | None:
    return None if spec is None or spec.origin is None else Path(spec.origin).parent


def _torch_supports_cards() -> bool:
    """Whether torch is not a CPU build. Reads its version, since importing it takes seconds."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return "+cpu" not in version("torch")
    except PackageNotFoundError:
        return False


def _has_device() -> bool:
    """Whether the CUDA driver counts a card, within CUDA_VISIBLE_DEVICES, or there is an AMD or Ascend device."""
    import ctypes

    if any(os.path.exists(device) for device in ("/dev/kfd", "/dev/davinci_manager")):  # noqa: PTH110
        return True
    try:
        driver = ctypes.CDLL("libcuda.so.1")
        count = ctypes.c_int(0)
        return driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0 and count.value > 0
    except (OSError, AttributeError):
        return False
