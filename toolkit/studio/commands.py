"""The command of each action, as the command line takes it: what the pages show is what runs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from toolkit.core.errors import DataError
from toolkit.runs.layout import output_option
from toolkit.studio.workspace import DataFile
from toolkit.train.recipe import default_recipe, load_recipe, shipped

Arguments = tuple[str, ...]
# The fields of the training form that are settings of a recipe: field, option, type.
SETTINGS = (
    ("epochs", "--epochs", float), ("learning_rate", "--learning-rate", float), ("lora_rank", "--lora-rank", int),
    ("keep_weight", "--keep-weight", float), ("max_length_tokens", "--max-length", int), ("seed", "--seed", int),
)  # fmt: skip
SWEPT = {"epochs", "learning_rate", "lora_rank", "keep_weight", "seed"}  # of them, those that a sweep takes lists of
SWEPT_EPOCHS = "5,10,20"  # where the form names none
MOST_SWEPT = 40  # runs of one sweep
OF_CHECK = frozenset({"epochs", "max_length_tokens"})  # that change what is checked, too
MODEL_QUESTIONS, OWN_QUESTIONS, NO_QUESTIONS = "model", "own", "none"
Format = Literal["adapter", "merged", "gguf", "ollama"]
FORMATS = get_args(Format)
Hub = Literal["hf", "modelscope"]
HUBS = get_args(Hub)


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What the training form says. `settings`: by option, as typed; those that are empty are the recipe's."""

    recipe: str
    settings: Mapping[str, str]
    questions: str = MODEL_QUESTIONS
    in_4bit: bool = False


def read_choice(fields: Mapping[str, str], model: str | None) -> Choice:
    """Raises DataError, and ConfigError for a setting that the recipe does not take."""
    recipe = _recipe(fields, model)
    given: dict[str, str] = {}
    values: dict[str, float] = {}
    for name, option, kind in SETTINGS:
        text = fields.get(name, "").strip()
        if text:
            values[name] = _number(text, option, kind)
            given[option] = text
    load_recipe(recipe).changed(**values)
    questions = fields.get("questions", MODEL_QUESTIONS)
    return Choice(recipe=recipe, settings=given, questions=questions, in_4bit=fields.get("in_4bit") == "on")


def read_lists(fields: Mapping[str, str], model: str | None) -> Choice:
    """What a sweep tries: its settings are values separated by commas. Raises DataError, and ConfigError as above."""
    name_of_recipe = _recipe(fields, model)
    recipe, given, runs = load_recipe(name_of_recipe), dict[str, str](), 1
    for name, option, kind in SETTINGS:
        texts = list(dict.fromkeys(part.strip() for part in fields.get(name, "").split(",") if part.strip()))
        if name not in SWEPT or not texts:
            continue
        for text in texts:
            recipe.changed(**{name: _number(text, option, kind)})
        given[option] = ",".join(texts)
        runs *= len(texts)
    if runs > MOST_SWEPT:
        raise DataError(f"These would be {runs} runs.", next=f"Try at most {MOST_SWEPT} in one sweep.")
    return Choice(recipe=name_of_recipe, settings=given)


def swept(choice: Choice) -> dict[str, str]:
    """What the form of a sweep begins with, by field: the training's own settings, and several epochs."""
    given = {name: choice.settings.get(option, "") for name, option, _ in SETTINGS if name in SWEPT}
    return given | {"epochs": given["epochs"] or SWEPT_EPOCHS}


def _recipe(fields: Mapping[str, str], model: str | None) -> str:
    recipe = fields.get("recipe") or default_recipe(model)
    if recipe not in shipped():
        raise DataError(f"There is no recipe {recipe!r}.", next=f"Choose one of {', '.join(shipped())}.")
    return recipe


def _number(text: str, option: str, kind: Callable[[str], float]) -> float:
    try:
        return kind(text)
    except ValueError:
        raise DataError(f"{option} takes a number, not {text!r}.", next="Correct it, or leave it empty.") from None


@dataclass(frozen=True, kw_only=True)
class Commands:
    """With the base model and the output folder of this studio, in the reader's language."""

    output: Path
    model: str | None = None
    lang: str = "en"

    @property
    def common(self) -> Arguments:
        return (*self.base, *self.into)

    @property
    def base(self) -> Arguments:
        return () if self.model is None else ("--model", self.model)

    @property
    def into(self) -> Arguments:
        return tuple(map(str, output_option(self.output)))

    @property
    def in_language(self) -> Arguments:
        return () if self.lang == "en" else ("--lang", self.lang)

    def say(self, text: str, *, rows_only: bool) -> Arguments:
        only = ("--rows-only",) if rows_only else ()
        return ("teach", *only, *self.common, *self.in_language, "--", text)

    def check_options(self, choice: Choice) -> Arguments:
        """Of `toolkit check`, for a file that is trained so."""
        options = {option: name for name, option, _ in SETTINGS}
        given = [word for option, text in choice.settings.items() if options[option] in OF_CHECK
                 for word in (option, text)]  # fmt: skip
        given += ["--load-in-4bit"] if choice.in_4bit else []
        return ("--recipe", choice.recipe, *given, *self.common)

    def train(self, file: DataFile, choice: Choice) -> Arguments:
        given = [word for pair in choice.settings.items() for word in pair]
        if choice.questions == NO_QUESTIONS:
            given += ["--questions", NO_QUESTIONS]
        elif choice.questions == OWN_QUESTIONS:
            given += ["--questions", str(Path(file.name).with_name(file.questions.name))]
        given += ["--load-in-4bit"] if choice.in_4bit else []
        return ("finetune", file.name, "--compare", "--recipe", choice.recipe, *given, *self.common, *self.in_language)

    def resume(self, run_id: str) -> Arguments:
        return ("finetune", "--resume", run_id, "--compare", *self.into, *self.in_language)

    def compare(self, run_id: str) -> Arguments:
        return ("compare", run_id, *self.into, *self.in_language)

    def export(self, run_id: str, format_name: str) -> Arguments:
        """Raises DataError."""
        if format_name not in FORMATS:
            raise DataError(f"There is no format {format_name!r} here.", next=f"Choose one of {', '.join(FORMATS)}.")
        return ("export", run_id, "--to", format_name, *self.into, *self.in_language)

    def attest(self, run_id: str, key: str) -> Arguments:
        """`key`: a private key's file; "" for the user's own, in their configuration."""
        return ("attest", run_id, *(("--key", key) if key else ()), *self.into, *self.in_language)

    def push(self, run_id: str, repository: str, hub: str) -> Arguments:
        """Never publicly, and never a run that failed: that is for who types it. Raises DataError."""
        if hub not in HUBS:
            raise DataError(f"There is no hub {hub!r} here.", next=f"Choose one of {', '.join(HUBS)}.")
        return ("push-to-hub", run_id, repository, "--to", hub, *self.into, *self.in_language)

    def sweep(self, file: DataFile, choice: Choice) -> Arguments:
        """`choice`: see `read_lists`."""
        given = [word for pair in choice.settings.items() for word in pair]
        return ("sweep", file.name, "--recipes", choice.recipe, *given, *self.common, *self.in_language)

    def resume_sweep(self, name: str) -> Arguments:
        return ("sweep", "--resume", name, *self.into, *self.in_language)

    def serve_options(self) -> Arguments:
        return self.into

    def runs(self, *arguments: str) -> Arguments:
        return ("runs", *arguments, *self.into)
