"""What the scripts of this folder are told alike: the base model's folder, where to write, and what to train."""

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from pathlib import Path


def arguments(description: str | None) -> ArgumentParser:
    """`model`, an absolute path, and `out`."""
    parser = ArgumentParser(description=description, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("model", type=lambda text: Path(text).resolve())
    parser.add_argument("out", type=Path)
    return parser


def arguments_of_recipes(description: str | None) -> ArgumentParser:
    """And `recipes`, as `recipes.recipe_of` takes them, with the `data` that they are trained on."""
    parser = arguments(description)
    parser.add_argument("recipes", nargs="+")
    parser.add_argument("--data", default="self_cognition.json")
    return parser
