"""The shape of the house: a listing is a page, a command has one story, tests mirror the product."""

import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from image.cli import COMMANDS as IMAGE_COMMANDS
from toolkit.cli import COMMANDS, module_name, module_path

ROOT = Path(__file__).parents[2]
PRODUCTS = ("toolkit", "image")
MOST_LINES, FEWEST_LINES = 300, 40
# Modules under 40 lines, and why each is one of its own.
SHORT_MODULES = {
    "image/cli/doctor.py": "a command is a module",
    "image/cli/sbom.py": "a command is a module",
    "image/cli/verify.py": "a command is a module",
    "image/core/files.py": "the host's side shares no code with toolkit",
    "image/core/language.py": "what errors and the container's environment both ask",
    "image/core/labels.py": "labels are a contract between image and toolkit",
    "image/core/suggestion.py": "what every module that suggests a command uses",
    "image/core/text.py": "one function that every module which prints uses",
    "image/registry/client.py": "the one place that imports oras",
    "image/core/progress.py": "the event that every use case emits",
    "image/build/sbom.py": "a command's use case is a module",
    "image/share/history.py": "what a publication says of earlier ones",
    "toolkit/data/probing/numbers.py": "pure, and read by itself",
    "toolkit/cli/serving/mcp.py": "a command is a module",
    "toolkit/cli/make_data.py": "a command is a module",
    "toolkit/cli/serving/down.py": "a command is a module",
    "toolkit/cli/make_probes.py": "a command is a module",
    "toolkit/compare/teacher.py": "one teacher of further questions and of depth probes",
    "toolkit/compare/report/pair/files.py": "the only writer of a pair's files",
    "toolkit/data/containers/parquet_file.py": "the door to pyarrow",
    "toolkit/compare/discovery/sentences.py": "a scan in words, for the terminal and for reports",
    "toolkit/compare/texts.py": "the door to texts.yaml",
    "toolkit/data/encoding.py": "the protocol of a tokenizer, between data and train",
    "toolkit/data/rephrasings.py": "data: how a question is put in other words",
    "toolkit/export/companions.py": "files beside weights, for several formats",
    "toolkit/model/conversation.py": "what every room asks a model with",
    "toolkit/model/divergence.py": "one KL for training and verdict",
    "toolkit/model/families/attention.py": "one switch of attention, for answers and for training",
    "toolkit/model/families/own_calls.py": "what a chat template writes, for comparisons and for serve",
    "toolkit/model/hub/card.py": "the hub's model card, a door of its own",
    "toolkit/runs/report_schema.py": "of the type of a report, which is long enough",
    "toolkit/train/ms_swift/names.py": "ms-swift's names, for training and for quantising",
    "toolkit/train/ms_swift/shared_weights.py": "between train and sweep",
    "toolkit/swift_compat/run_script.py": "a process of its own",
}
# Tests that mirror no module, and why.
TESTS_OF_NO_MODULE = {
    "tests/unit/data/test_markers.py": "of names, from make-data to the verdict",
    "tests/unit/compare/test_depth.py": "of the depth groups, from the probe file to every view",
    "tests/unit/compare/test_one_figure.py": "of every view of one run",
    "tests/unit/cli/test_json_answers.py": "of docs/schemas",
    "tests/unit/test_agent_session.py": "of docs/agent_session.py",
    "tests/unit/test_dependencies.py": "of pyproject.toml",
    "tests/unit/test_figures.py": "of bench/figures.py",
    "tests/unit/test_install.py": "of requirements/install.py",
    "tests/unit/test_makefile.py": "of the Makefile",
    "tests/unit/test_printing.py": "of everything that prints or writes for people",
    "tests/unit/test_threats.py": "of docs/threats.md",
    "tests/unit/compare/report/test_schema.py": "of docs/report.schema.json",
    "tests/unit/data/test_shipped_data.py": "of the files in data/",
    "tests/unit/data/test_corrected_fact.py": "of the files in data/",
    "tests/unit/model/test_tiny_model.py": "of the embedded model in data/",
    "tests/unit/test_rules_facts.py": "of the whole product",
    "tests/unit/test_rules_structure.py": "of the whole product",
    "tests/unit/test_rules_words.py": "of the whole product",
}


def report(what: str, found: Iterable[str]) -> str:
    return "\n  ".join([what, *found])


def entries(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name != "__pycache__")


def modules() -> list[Path]:
    return [path for product in PRODUCTS for path in sorted((ROOT / product).rglob("*.py"))]


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def line_count(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


@pytest.mark.parametrize("product", PRODUCTS)
def test_the_top_listing_has_at_most_14_entries(product: str):
    assert len(entries(ROOT / product)) <= 14, entries(ROOT / product)


def test_a_rooms_listing_has_at_most_20_entries():
    folders = (path for product in PRODUCTS for path in (ROOT / product).rglob("*") if path.is_dir())
    rooms = [folder for folder in folders if folder.name != "__pycache__"]  # which has a file a kind of interpreter
    crowded = {relative(room): len(entries(room)) for room in rooms if len(entries(room)) > 20}

    assert crowded == {}


def test_no_module_is_longer_than_a_few_pages():
    long = [f"{relative(path)}: {line_count(path)}" for path in modules() if line_count(path) > MOST_LINES]

    assert not long, report("Split these:", long)


def test_a_short_module_has_a_reason():
    """Packages and __main__ aside: those are as short as they can be."""
    short = {
        relative(path)
        for path in modules()
        if path.name not in {"__init__.py", "__main__.py"} and line_count(path) < FEWEST_LINES
    }

    unexplained = sorted(short - SHORT_MODULES.keys())
    gone = [path for path in SHORT_MODULES if not (ROOT / path).is_file()]

    assert not unexplained, report("Merge these, or give a reason in SHORT_MODULES:", unexplained)
    assert not gone, report("Remove these from SHORT_MODULES:", gone)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_toolkit_command_is_a_module_of_cli_and_one_of_a_room(command: str):
    name = f"{module_name(command)}.py"
    found = [path.relative_to(ROOT / "toolkit") for path in (ROOT / "toolkit").rglob(name)]
    rooms = [path.parts[0] for path in found if path.parts[0] != "cli"]

    assert module_path(command).is_file()
    assert len(rooms) == 1, f"{name} is in {rooms}"


@pytest.mark.parametrize("command", IMAGE_COMMANDS)
def test_an_image_command_is_a_module_of_cli_and_one_elsewhere(command: str):
    name = f"{module_name(command)}.py"
    found = [relative(path) for path in (ROOT / "image").rglob(name) if path.parent.name != "cli"]

    assert (ROOT / "image" / "cli" / name).is_file()
    assert len(found) == 1, found


def mirrored(test: Path) -> list[Path]:
    """Where the module of a unit test may be: tests/unit/R/test_M.py is of toolkit/R/M.py or image/R/M.py."""
    *folders, file = test.relative_to(ROOT / "tests" / "unit").parts
    name = file.removeprefix("test_").removesuffix(".py")
    base = ROOT.joinpath(*folders) if folders[:1] == ["image"] else ROOT.joinpath("toolkit", *folders)
    return [base / f"{name}.py", base / f"__{name}__.py", base / name / "__init__.py"]


def test_unit_tests_mirror_the_product():
    tests = sorted((ROOT / "tests" / "unit").rglob("test_*.py"))
    lost = [
        relative(test)
        for test in tests
        if relative(test) not in TESTS_OF_NO_MODULE and not any(path.is_file() for path in mirrored(test))
    ]

    gone = [test for test in TESTS_OF_NO_MODULE if not (ROOT / test).is_file()]

    assert not lost, report("These tests have no module of that name:", lost)
    assert not gone, report("Remove these from TESTS_OF_NO_MODULE:", gone)


def test_fakes_have_a_room_of_their_own():
    """Among the tests are tests and fixtures only; scripts that a test starts are named in its text."""
    folders = (ROOT / "tests" / "unit", ROOT / "tests" / "e2e")
    others = [
        path
        for folder in folders
        for path in folder.rglob("*.py")
        if not re.fullmatch(r"test_\w+\.py|conftest\.py|__init__\.py", path.name)
    ]
    texts = [path.read_text(encoding="utf-8") for folder in folders for path in folder.rglob("test_*.py")]

    assert [relative(path) for path in others if not any(f'"{path.name}"' in text for text in texts)] == []
