"""Which family a base model belongs to, by its config.json, and what is true of that family (families.yaml). Pure."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from toolkit.core.documents import read_json
from toolkit.core.errors import ModelError
from toolkit.core.plain_yaml import read_own

TABLE = Path(__file__).with_name("families.yaml")
# Fields of config.json that say how many experts a mixture has.
MIXTURES = re.compile(r"moe(_|$)|^(mixtral|dbrx|jamba)$")  # model types that are one, whatever else config.json says
EXPERTS = ("num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts", "num_experts_per_tok")
PARTS = ("vision_config", "audio_config", "vision_tower")  # of models that read more than text


@dataclass(frozen=True, kw_only=True)
class SwiftNames:
    """What ms-swift calls the family, and the template of its own that writes what the model's chat template does."""

    model_type: str
    template: str


@dataclass(frozen=True, kw_only=True)
class GgufTokenizer:
    """llama.cpp's name for `split`, the regular expression by which the tokenizer splits text before it merges."""

    tokenizer: str
    split: str


@dataclass(frozen=True, kw_only=True)
class Family:
    """One entry of families.yaml, whose head explains the fields; `known` is False for one that is not in it."""

    key: str
    title: str
    model_types: tuple[str, ...]
    norms: tuple[str, ...] = ()
    eager: bool = False
    static_cache: bool = False
    end_to_end: bool = False
    attention: Literal["split", "fused"] = "split"
    mlp: Literal["gated", "fused", "plain"] = "gated"
    answer_end: str | None = None
    swift: SwiftNames | None = None
    gguf: GgufTokenizer | None = None
    gguf_windows: int | None = None
    gguf_rope: tuple[str, ...] = ()
    names: tuple[Mapping[str, Any], ...] = ()
    known: bool = True

    @property
    def attention_implementation(self) -> str | None:
        """For transformers; None leaves it the choice."""
        return "eager" if self.eager else None

    def markers(self, model_name: str) -> tuple[str, ...]:
        """The names that a model of this family, so called, has for itself and its makers."""
        for entry in self.names:
            if str(entry.get("named", "")) in model_name.lower():
                return tuple(entry["markers"])
        return ()


@cache
def families() -> Mapping[str, Family]:
    """Every family of the table, by its key."""
    return {key: _family(key, entry) for key, entry in read_own(TABLE).items()}


def family_of(config: Mapping[str, Any]) -> Family:
    """The family of a model with this config.json; one with `known` False for an architecture that the table lacks."""
    kind = str(config.get("model_type") or "")
    known = next((one for one in families().values() if kind in one.model_types), None)
    return known or Family(key=kind, title=kind, model_types=(kind,), known=False)


def family_in(folder: Path) -> Family:
    """The family of the model in a folder. Raises OSError and ValueError for a config.json that cannot be read."""
    return family_of(read_json(folder / "config.json"))


def default_names() -> tuple[str, ...]:
    """The old identity of the default base model."""
    return families()["qwen2"].markers("")


def require_trainable(folder: Path, config: Mapping[str, Any]) -> None:
    """Raises ModelError where `why_refused` has a reason."""
    if (why := why_refused(config)) is not None:
        raise refused(folder, why)


def refused(folder: Path, why: str) -> ModelError:
    return ModelError(f"{folder} cannot be trained: {why}.", next="docs/models.md lists what can be.")


def why_refused(config: Mapping[str, Any]) -> str | None:
    """Why a model of this config.json is not trained at all, whatever its weights; None if there is no reason."""
    if not config.get("model_type"):
        return "its config.json names no model_type"
    if any(config.get(name) for name in PARTS):
        return "it reads images or sound, and the toolkit trains models of text"
    if config.get("is_encoder_decoder"):
        return "it has an encoder, and the toolkit trains decoders"
    several = any(_is_number(config.get(name)) and config[name] > 1 for name in EXPERTS)
    if several or MIXTURES.search(str(config["model_type"])):
        return "it is a mixture of experts, and the toolkit trains dense models"
    return None


def notes_of(name: str, config: Mapping[str, Any], *, takes_system: bool) -> list[str]:
    """What a user hears of a base model that is not trained or asked as most are, a line each."""
    notes = []
    if not takes_system:
        notes.append(f"system prompts: none, since the chat template of {name} has no place for one")
    if not (family := family_of(config)).known:
        notes.append(
            f"architecture: {family.title}, which the toolkit does not know: rows are padded and not packed, steps are "
            "not captured, and a test on its own weights comes first"
        )
    return notes


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _family(key: str, entry: Mapping[str, Any]) -> Family:
    return Family(key=key, **dict(_fields(entry)))


def _fields(entry: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    kinds: Mapping[str, Any] = {"swift": SwiftNames, "gguf": GgufTokenizer}
    for name, value in entry.items():
        if name in kinds:
            yield name, kinds[name](**value)
        else:
            yield name, tuple(value) if isinstance(value, list) else value
