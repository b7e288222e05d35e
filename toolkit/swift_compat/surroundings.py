"""What a command finds where it runs: the folders it names, the runs that are there, a card."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

QWEN2 = "Qwen2ForCausalLM"  # config.json, of Qwen2 and Qwen2.5 alike


@dataclass(frozen=True, kw_only=True)
class ModelFolder:
    """`template`: a Qwen2 model's, else "". `recorded`: args.json tells ms-swift 4 the model type and the template."""

    template: str = "qwen2_5"
    recorded: bool = False


@dataclass(frozen=True, kw_only=True)
class Adapter:
    """`model`: the base model as the training named it; `places`: where it was then."""

    model: str | None = None
    places: tuple[str, ...] = ()
    recorded: bool = False


class Place(Protocol):
    @property
    def has_card(self) -> bool: ...
    @property
    def prefers_hugging_face(self) -> bool: ...
    def exists(self, name: str) -> bool: ...
    def model(self, name: str) -> ModelFolder | None:
        """None where there is no such folder."""
        ...

    def adapter(self, name: str) -> Adapter | None: ...
    def checkpoints(self) -> list[str]:
        """The adapters below output/, oldest first."""
        ...


class LocalSurroundings:
    """The work folder of this process. A file that cannot be read tells nothing: ms-swift will say what is wrong."""

    @property
    def has_card(self) -> bool:
        return _torch_knows_cards() and _has_device()

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
        return ModelFolder(template=template, recorded=_is_recorded(_json(folder / "args.json")))

    def adapter(self, name: str) -> Adapter | None:
        folder = Path(name).expanduser()
        config, arguments = _json(folder / "adapter_config.json"), _json(folder / "args.json")
        if not config:
            return None
        places = (arguments.get("model_dir"), config.get("base_model_name_or_path"))
        return Adapter(
            model=arguments.get("model"), places=tuple(str(place) for place in places if place),
            recorded=_is_recorded(arguments),
        )  # fmt: skip

    def checkpoints(self) -> list[str]:
        found = Path("output").glob("**/checkpoint-*/adapter_config.json")
        return [str(path.parent) for path in sorted(found, key=lambda path: path.stat().st_mtime)]


def template_of(chat_template: str) -> str:
    """ms-swift's name for a Qwen2 folder's chat template; "" for one that is another family's."""
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


def _is_recorded(arguments: dict[str, Any]) -> bool:
    version = str(arguments.get("swift_version") or "0").partition(".")[0]
    return version.isdigit() and int(version) >= 4  # noqa: PLR2004  # the ms-swift that reads it


def _json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _torch_knows_cards() -> bool:
    """Read, not imported: torch takes seconds. A CPU build sees no card, whatever the host has."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return "+cpu" not in version("torch")
    except PackageNotFoundError:
        return False


def _has_device() -> bool:
    """The driver's own count, which heeds CUDA_VISIBLE_DEVICES; another maker's device counts as a card."""
    import ctypes

    if any(os.path.exists(device) for device in ("/dev/kfd", "/dev/davinci_manager")):  # noqa: PTH110
        return True
    try:
        driver = ctypes.CDLL("libcuda.so.1")
        count = ctypes.c_int(0)
        return driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0 and count.value > 0
    except (OSError, AttributeError):
        return False
