"""The command of each action, as the command line takes it: what the pages show is what runs."""

from collections.abc import Mapping
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
OF_CHECK = frozenset({"epochs", "max_length_tokens"})  # that change what is checked, too
MODEL_QUESTIONS, OWN_QUESTIONS, NO_QUESTIONS = "model", "own", "none"
Format = Literal["adapter", "merged", "gguf", "ollama"]
FORMATS = get_args(Format)


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What the training form says. `settings`: by option, as typed; those that are empty are the recipe's."""

    recipe: str
    settings: Mapping[str, str]
    questions: str = MODEL_QUESTIONS
    in_4bit: bool = False


def read_choice(fields: Mapping[str, str], model: str | None) -> Choice:
    """Raises DataError, and ConfigError for a setting that the recipe does not take."""
    recipe = fields.get("recipe") or default_recipe(model)
    if recipe not in shipped():
        raise DataError(f"There is no recipe {recipe!r}.", next=f"Choose one of {', '.join(shipped())}.")
    given: dict[str, str] = {}
    values: dict[str, float] = {}
    for name, option, kind in SETTINGS:
        text = fields.get(name, "").strip()
        if text:
            try:
                values[name] = kind(text)
            except ValueError:
                raise DataError(
                    f"{option} takes a number, not {text!r}.", next="Correct it, or leave it empty."
                ) from None
            given[option] = text
    load_recipe(recipe).changed(**values)
    questions = fields.get("questions", MODEL_QUESTIONS)
    return Choice(recipe=recipe, settings=given, questions=questions, in_4bit=fields.get("in_4bit") == "on")


@dataclass(frozen=True, kw_only=True)
class Commands:
    """With the base model and the output folder of this studio, and reports in the reader's language."""

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
        only = ("--rows-only",) if rows_only else self.in_language
        return ("teach", *only, *self.common, "--", text)

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
        return ("export", run_id, "--to", format_name, *self.into)

    def sharing(self, run_id: str) -> dict[str, Arguments]:
        """What is shown and not run: it needs a key, or an account and a name elsewhere."""
        return {
            "attest": ("attest", run_id, *self.into),
            "push": ("push-to-hub", run_id, "OWNER/NAME", *self.into),
        }

    def sweep(self, file: DataFile, choice: Choice) -> Arguments:
        """Shown, for whoever looks for the settings that learn the most and move the least."""
        return ("sweep", file.name, "--recipes", choice.recipe, "--epochs", "5,10,20", *self.common)

    def serve_options(self) -> Arguments:
        return self.into

    def runs(self, *arguments: str) -> Arguments:
        return ("runs", *arguments, *self.into)
