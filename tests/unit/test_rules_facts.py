"""One fact, one place: the names of a run's files, and of environment variables."""

import ast
from collections.abc import Iterator
from pathlib import Path

from toolkit.core import environment
from toolkit.runs import layout

TOOLKIT = Path(__file__).parents[2] / "toolkit"
LAYOUT = "runs/layout.py"
# Also files elsewhere: the shipped probes, the lock and the cache of a download, an adapter in any folder.
ALSO_OUTSIDE_RUNS = {"probes.yaml", ".lock", ".cache", "adapter_config.json"}
# `swift` of the image imports nothing of the toolkit but its errors; its variables are ms-swift's and the hubs'.
READS_OTHERS_VARIABLES = "swift_compat/"


def report(what: str, found: list[str]) -> str:
    return "\n  ".join([what, *found])


def sources() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(TOOLKIT.rglob("*.py")):
        yield path.relative_to(TOOLKIT).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


def literals(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Every string but docstrings, with its line."""
    prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
            yield node.lineno, node.value


def places_of(names: set[str], home: str) -> list[str]:
    """Where one of these is spelled outside its module: alone, or as the last part of a path."""
    return [
        f"toolkit/{path}:{line}: {text!r}"
        for path, tree in sources()
        if path != home
        for line, text in literals(tree)
        if text.rpartition("/")[2] in names
    ]


def test_a_runs_file_names_are_spelled_in_runs_layout():
    """Those with a suffix or a leading dot: a word such as `compare` has other meanings."""
    names = {value for value in vars(layout).values() if isinstance(value, str) and "." in value and "/" not in value}
    names = {name for name in names if " " not in name and not name.startswith("toolkit.")} - ALSO_OUTSIDE_RUNS

    assert {"run.json", "report.json", "logging.jsonl", "adapter_model.safetensors"} <= names
    found = places_of(names, LAYOUT)
    assert not found, report("Take these from runs/layout.py:", found)


def test_environment_variables_are_read_in_core():
    found = [
        f"toolkit/{path}:{node.lineno}"
        for path, tree in sources()
        if not path.startswith(("core/", READS_OTHERS_VARIABLES))
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "os"
        and node.attr in {"environ", "getenv", "putenv"}
    ]

    assert not found, report("Read these in core/environment.py:", found)


def test_the_toolkits_variables_are_spelled_in_core_environment():
    names = {value for value in vars(environment).values() if isinstance(value, str) and value.startswith("TOOLKIT_")}

    found = places_of(names, "core/environment.py")

    assert len(names) == 16
    assert not found, report("Take these from core/environment.py:", found)
