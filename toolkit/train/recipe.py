"""Recipes: all settings of a fine-tuning, read from YAML and checked before anything starts."""

import math
import re
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, cast

from toolkit.core import environment
from toolkit.core.documents import read_text
from toolkit.core.errors import ConfigError
from toolkit.core.spelling import did_you_mean, near_files
from toolkit.core.text import short
from toolkit.model.families.sizes import ELEMENT_BYTES

RECIPES = Path(__file__).with_name("recipes")
AUTO = "auto"
GENERAL = "general"  # the recipe for sets that are not a small change
SMALL_CHANGE_ROWS = 1000  # at most; questions around them are written from 200
LISTS = ("target_modules", "keep_systems", "row_systems")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """The settings of one LoRA fine-tuning; the shipped YAML files explain what each trades off."""

    name: str
    lora_rank: int
    lora_alpha: int
    lora_dropout: float
    target_modules: tuple[str, ...]
    epochs: float
    learning_rate: float
    warmup_ratio: float
    scheduler: str
    weight_decay: float
    max_grad_norm: float
    batch_size: int
    micro_batch_size: int | Literal["auto"]
    gradient_checkpointing: bool | Literal["auto"]
    precision: Literal["auto", "bfloat16", "float16", "float32"]
    max_length_tokens: int
    system: str
    seed: int
    save_every_steps: int
    keep_weight: float
    keep_rows: int
    keep_data: str
    keep_max_new_tokens: int
    keep_systems: tuple[str, ...]
    # With defaults, so that older recipes and runs, which lack these settings, stay valid.
    eval_split: float = 0
    early_stop: int = 0
    stop_when_took: bool = False
    stop_kl: float = 0.02
    lora_layers: Literal["all", "middle"] = "all"
    row_systems: tuple[str, ...] = ()
    row_wordings: bool = False
    load_in_4bit: bool = False
    shard: bool | Literal["auto"] = "auto"  # the base model over the cards; auto: where it does not fit on one
    question_rows: int = 0
    near_rows: int = 0
    min_steps: int = 0
    thinking: Literal["keep", "off"] = "keep"  # of base models that think; the next two are 0 of others
    keep_thought_tokens: int = 0
    thought_rows: int = 0

    @property
    def effective_batch_size(self) -> int:
        return self.batch_size

    @property
    def variants(self) -> int:
        """How often an epoch trains each row: once under each system prompt."""
        return 1 + len(self.row_systems)

    @property
    def epochs_label(self) -> str:
        under = f" under {self.variants} system prompts" if self.variants > 1 else ""
        least = f", at least {self.min_steps} steps" if self.min_steps > 1 else ""  # one is the least of any training
        return f"{self.epochs:g} {'epoch' if self.epochs == 1 else 'epochs'}{under}{least}"

    def steps(self, rows: int) -> int:
        """The number of optimizer steps for `rows` rows."""
        return max(1, self.min_steps, math.ceil(self._steps_per_epoch(rows) * self.epochs))

    def epochs_trained(self, rows: int) -> float:
        """How often the data is gone through: more than `epochs` where `min_steps` asks for it."""
        per_epoch = self._steps_per_epoch(rows)
        return self.epochs if per_epoch * self.epochs >= self.min_steps else self.min_steps / max(per_epoch, 1)

    @property
    def repeats(self) -> bool:
        """Whether rows are also trained in other words, under further system prompts, or with questions around them."""
        return self.variants > 1 or self.row_wordings or self.question_rows > 0

    def _steps_per_epoch(self, rows: int) -> int:
        return -(-rows * self.variants // self.batch_size)

    def changed(self, **settings: Any) -> "Recipe":
        """The recipe with those settings that are not None. Raises one ConfigError for all problems.

        Who names epochs means them: no least number of steps then adds more, unless it is named too.
        """
        given = {name: value for name, value in settings.items() if value is not None}
        if "epochs" in given:
            given = {"min_steps": 0, **given}
        return _checked(replace(self, **given))

    def without_systems(self) -> "Recipe":
        """For a base model whose chat template takes no system prompt: rows under several would be the same rows."""
        return replace(self, system="", row_systems=(), keep_systems=())

    def of_thinking(self, *, thinks: bool, name: str) -> "Recipe":
        """For a base model of this name that thinks, or does not. ConfigError: it does not, and should stop."""
        if not thinks and self.thinking == "off":
            what = f"{name} does not think: its chat template asks for no thought."
            raise ConfigError(what, next="Leave out --thinking off; docs/models.md says which models think.")
        kept = self.keep_thought_tokens if thinks and self.thinking == "keep" else 0
        return replace(self, keep_thought_tokens=kept, thought_rows=self.thought_rows if thinks else 0)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self) | {name: list(getattr(self, name)) for name in LISTS}


def first_adapted(recipe: Recipe, layers: int) -> int:
    """The lowest of a decoder's `layers` with an adapter; `middle` leaves out as many at the top."""
    return layers // 4 if recipe.lora_layers == "middle" else 0


def target_regex(recipe: Recipe, decoder_layers: int) -> str | None:
    """Full names of the linear layers in the decoder's middle half, for peft; None when every layer is adapted."""
    if recipe.lora_layers == "all":
        return None
    first = first_adapted(recipe, decoder_layers)
    numbers = "|".join(map(str, range(first, decoder_layers - first)))
    names = r"\w+_proj" if "all-linear" in recipe.target_modules else "|".join(map(re.escape, recipe.target_modules))
    return rf".*\.layers\.({numbers})\..*\b({names})"


def shipped() -> list[str]:
    return sorted(path.stem for path in RECIPES.glob("*.yaml"))


def default_recipe(model: str | None) -> str:
    """The recipe for the base model that the caller names; the embedded one is so small that it has its own."""
    name = model or environment.base_model() or ""
    return "tiny" if Path(name).name == "tiny-qwen2" else "keep"


def better_recipe(recipe: Recipe, rows: int) -> str | None:
    """Why many rows are better trained by the recipe for general data: a sentence; None where they are not."""
    if rows <= SMALL_CHANGE_ROWS or not recipe.repeats:
        return None
    other = load_recipe(GENERAL)
    often = (
        f"{recipe.epochs * recipe.variants:g} times, in several wordings"
        if recipe.row_wordings
        else (f"{recipe.epochs * recipe.variants:g} times")
    )
    return (
        f"{rows} rows are more than a small change, and recipe {recipe.name} trains each of them {often} "
        f"({recipe.steps(rows)} steps); recipe {GENERAL} trains them as they are "
        f"({other.epochs:g} epochs, {other.steps(rows)} steps)."
    )


def load_recipe(name: str) -> Recipe:
    """A shipped recipe by name, or a YAML file by path. Raises ConfigError."""
    from toolkit.core.plain_yaml import parse_yaml

    path = Path(name) if name.endswith((".yaml", ".yml")) else RECIPES / f"{name}.yaml"
    try:
        settings, _ = parse_yaml(read_text(path))
    except OSError as error:
        is_file = path.parent != RECIPES
        near = near_files(path, (".yaml", ".yml")) if is_file else did_you_mean(name, shipped())
        raise ConfigError(
            f"No recipe {name!r} ({error.strerror}).{near}",
            next=f"Shipped: {', '.join(shipped())}; or name a .yaml file.",
        ) from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not UTF-8 text.", next="Save it as UTF-8.") from None
    except ValueError as error:
        raise ConfigError(f"{path} is not YAML that the toolkit reads: {error}.", next="Correct that line.") from None
    if not isinstance(settings, Mapping):
        raise ConfigError(f"{path} has no settings.", next=f"Start from {RECIPES / 'article.yaml'}.")
    return recipe_from(dict(settings), name=path.stem, source=str(path))


def recipe_from(settings: dict[str, Any], *, name: str, source: str) -> Recipe:
    """A recipe from plain values, as in YAML files and run.json. Raises ConfigError."""
    settings = {key: "off" if value is False and key == "thinking" else value  # YAML reads off as false
                for key, value in settings.items() if key != "name"}  # fmt: skip
    known = [field.name for field in fields(Recipe) if field.name != "name"]
    unknown = [short(str(key)) for key in settings if key not in known]
    missing = [
        field.name for field in fields(Recipe) if field.default is MISSING and field.name not in {"name", *settings}
    ]
    if unknown or missing:
        problems = [f"unknown: {', '.join(unknown)}"] * bool(unknown) + [f"missing: {', '.join(missing)}"] * bool(
            missing
        )
        raise ConfigError(f"Recipe {source}: {'; '.join(problems)}.", next=f"It takes {', '.join(known)}.")
    for name_of_list in LISTS:
        if isinstance(settings.get(name_of_list), list):
            settings[name_of_list] = tuple(settings[name_of_list])
    return _checked(Recipe(name=name, **settings))


def _number(value: object, low: float, high: float, *, integer: bool = False) -> bool:
    kinds = (int,) if integer else (int, float)
    return isinstance(value, kinds) and not isinstance(value, bool) and low <= cast("float", value) <= high


def _checked(recipe: Recipe) -> Recipe:
    modules = recipe.target_modules
    rules = {
        "lora_rank": (_number(recipe.lora_rank, 1, 1024, integer=True), "a whole number from 1 to 1024"),
        "lora_alpha": (_number(recipe.lora_alpha, 1, 8192, integer=True), "a whole number from 1 to 8192"),
        "lora_dropout": (_number(recipe.lora_dropout, 0, 0.9), "from 0 to 0.9"),
        "target_modules": (_texts(modules) and bool(modules), "a list of module names, or [all-linear]"),
        "lora_layers": (recipe.lora_layers in ("all", "middle"), "all or middle"),
        "epochs": (_number(recipe.epochs, 0.01, 1000), "from 0.01 to 1000"),
        "learning_rate": (_number(recipe.learning_rate, 1e-8, 1), "from 1e-8 to 1 (in YAML: 1.0e-4, with the dot)"),
        "warmup_ratio": (_number(recipe.warmup_ratio, 0, 1), "from 0 to 1"),
        "scheduler": (recipe.scheduler in ("cosine", "linear", "constant"), "cosine, linear or constant"),
        "weight_decay": (_number(recipe.weight_decay, 0, 1), "from 0 to 1"),
        "max_grad_norm": (_number(recipe.max_grad_norm, 0, 1000), "from 0 to 1000"),
        "batch_size": (_number(recipe.batch_size, 1, 4096, integer=True), "a whole number from 1 to 4096"),
        "micro_batch_size": (
            recipe.micro_batch_size == AUTO or _divides(recipe.micro_batch_size, recipe.batch_size),
            f"auto, or a whole number that divides batch_size ({recipe.batch_size})",
        ),
        "gradient_checkpointing": (recipe.gradient_checkpointing in (AUTO, True, False), "auto, true or false"),
        "load_in_4bit": (isinstance(recipe.load_in_4bit, bool), "true or false"),
        "shard": (recipe.shard in (AUTO, True, False), "auto, true or false"),
        "precision": (recipe.precision in (AUTO, *ELEMENT_BYTES), f"auto, {', '.join(ELEMENT_BYTES)}"),
        "max_length_tokens": (_number(recipe.max_length_tokens, 8, 131072, integer=True), "from 8 to 131072"),
        "system": (isinstance(recipe.system, str), "a text"),
        "row_systems": (_texts(recipe.row_systems), "a list of system prompts"),
        "row_wordings": (isinstance(recipe.row_wordings, bool), "true or false"),
        "seed": (_number(recipe.seed, 0, 2**32 - 1, integer=True), "a whole number from 0 to 4294967295"),
        "save_every_steps": (_number(recipe.save_every_steps, 1, 10**9, integer=True), "a whole number from 1"),
        "min_steps": (_number(recipe.min_steps, 0, 10**6, integer=True), "a whole number from 0 to 1000000"),
        "thinking": (recipe.thinking in ("keep", "off"), "keep or off"),
        **_keep_rules(recipe),
        **_question_rules(recipe),
        **_stop_rules(recipe),
    }
    wrong = [
        f"{name} is {short(repr(getattr(recipe, name)))}, must be {must}"
        for name, (valid, must) in rules.items()
        if not valid
    ]
    if wrong:
        raise ConfigError(f"Recipe {recipe.name}: {'; '.join(wrong)}.", next="Correct these settings.")
    return recipe


def _texts(value: object) -> bool:
    return isinstance(value, tuple) and all(isinstance(one, str) for one in value)


def _keep_rules(recipe: Recipe) -> dict[str, tuple[bool, str]]:
    return {
        "keep_weight": (_number(recipe.keep_weight, 0, 10000), "from 0 (no keep term) to 10000"),
        "keep_rows": (_number(recipe.keep_rows, 1, 4096, integer=True), "a whole number from 1 to 4096"),
        "keep_data": (isinstance(recipe.keep_data, str) and bool(recipe.keep_data), "a file of prompts"),
        "keep_systems": (_texts(recipe.keep_systems), "a list of system prompts"),
        "keep_max_new_tokens": (_number(recipe.keep_max_new_tokens, 1, 4096, integer=True), "from 1 to 4096"),
        "keep_thought_tokens": (_number(recipe.keep_thought_tokens, 0, 32768, integer=True), "from 0 to 32768"),
    }


def _question_rules(recipe: Recipe) -> dict[str, tuple[bool, str]]:
    must = "a whole number from 0 (none) to 4096"
    return {
        "question_rows": (_number(recipe.question_rows, 0, 4096, integer=True), must),
        "near_rows": (_number(recipe.near_rows, 0, 4096, integer=True), must),
        "thought_rows": (_number(recipe.thought_rows, 0, 4096, integer=True), must),
    }


def _stop_rules(recipe: Recipe) -> dict[str, tuple[bool, str]]:
    evaluates = _number(recipe.eval_split, 0, 0.9) and recipe.eval_split > 0
    return {
        "eval_split": (_number(recipe.eval_split, 0, 0.9), "from 0 (no rows held out) to 0.9"),
        "early_stop": (
            _number(recipe.early_stop, 0, 1000, integer=True) and (evaluates or recipe.early_stop == 0),
            "a whole number from 0 (off) to 1000" if evaluates else "0: it needs an eval_split over 0",
        ),
        "stop_when_took": (isinstance(recipe.stop_when_took, bool), "true or false"),
        "stop_kl": (_number(recipe.stop_kl, 0, 1000), "from 0 to 1000"),
    }


def _divides(part: object, whole: object) -> bool:
    return _number(part, 1, 4096, integer=True) and isinstance(whole, int) and whole % cast("int", part) == 0
