"""pyproject.toml declares exactly what toolkit/ imports, and the locked requirements satisfy it."""

import ast
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
DISTRIBUTIONS = {"llama_cpp": "llama-cpp-python", "swift": "ms-swift", "yaml": "PyYAML"}  # where the names differ
UNIMPORTED = {"bitsandbytes"}  # transformers imports it for the toolkit
OF_TORCH = {"triton"}  # comes with torch for a card, in the version that torch names
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
REQUIRED = [Requirement(line) for line in PROJECT["dependencies"]]
OPTIONAL = [Requirement(line) for lines in PROJECT["optional-dependencies"].values() for line in lines]


def imported() -> set[str]:
    """The distributions that some module in toolkit/ imports, whether at its top or inside a function."""
    names = set()
    for path in (ROOT / "toolkit").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names.add(node.module.partition(".")[0])
    third_party = names - sys.stdlib_module_names - {"toolkit"}
    return {canonicalize_name(DISTRIBUTIONS.get(name, name)) for name in third_party - OF_TORCH}


def pins(file: str) -> dict[str, Version]:
    """Of each pinned distribution one version: those for other Pythons satisfy the same bounds or fail here too."""
    lines = (ROOT / "requirements" / file).read_text(encoding="utf-8").splitlines()
    found = (re.match(r"([\w.-]+)==([^ ;]+)", line) for line in lines)
    return {canonicalize_name(match[1]): Version(match[2]) for match in found if match}


def test_every_import_is_declared() -> None:
    declared = {canonicalize_name(requirement.name) for requirement in [*REQUIRED, *OPTIONAL]}

    assert imported() <= declared


def test_nothing_is_declared_that_no_module_imports() -> None:
    declared = {canonicalize_name(requirement.name) for requirement in [*REQUIRED, *OPTIONAL]}

    assert declared - imported() == UNIMPORTED


def test_the_requirements_to_lock_name_what_is_declared() -> None:
    lines = (ROOT / "requirements/runtime.in").read_text(encoding="utf-8").splitlines()
    named = {canonicalize_name(Requirement(line).name) for line in lines if line and not line.startswith("#")}

    # torch is installed separately, for the machine's device.
    assert {canonicalize_name(requirement.name) for requirement in REQUIRED} - named == {"torch"}


@pytest.mark.parametrize("file", ["runtime.txt", "dev.txt", "host.txt", "torch-cpu.txt", "torch-cuda.txt"])
def test_the_locked_versions_satisfy_the_declared_bounds(file: str) -> None:
    locked = pins(file)
    checked = [requirement for requirement in REQUIRED if canonicalize_name(requirement.name) in locked]

    assert checked
    for requirement in checked:
        assert requirement.specifier.contains(locked[canonicalize_name(requirement.name)]), requirement


@pytest.mark.parametrize("file", ["runtime.txt", "dev.txt"])
def test_everything_declared_is_locked(file: str) -> None:
    locked = pins(file)

    assert {canonicalize_name(requirement.name) for requirement in REQUIRED} - locked.keys() == {"torch"}


# The Makefile runs them on the host, without torch
LIGHT = (
    "download", "make_data", "runs", "verify", "sharing.attest", "sharing.push_to_hub", "sharing.verify_evidence",
)  # fmt: skip


def test_the_light_commands_import_only_what_the_host_has() -> None:
    program = f"""
import sys
import {", ".join(f"toolkit.cli.{name}" for name in LIGHT)}
files = {{name: str(getattr(module, "__file__", "")) for name, module in sys.modules.items()}}
print(*{{name.partition(".")[0] for name, file in files.items() if "site-packages" in file}})
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    distributions = packages_distributions()
    needed = {canonicalize_name(one) for name in done.stdout.split() for one in distributions.get(name, [])}

    assert "pydantic" in needed
    # The project's own finder, and a hook of setuptools: both come with an editable installation.
    assert needed - {"finetune-and-prove", "setuptools"} <= pins("host.txt").keys()
