"""docs/schemas: every command with --json has a schema there, which is what its type says and what it prints."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import click
import jsonschema
import pytest

from docs.schema import SCHEMAS
from tests.fakes.command import run_here
from tests.fakes.json_answers import DOCS, holds
from tests.fakes.made_scan import finding, scan_with
from tests.fakes.paired import two_runs
from tests.fakes.swept import entry, sweep_of
from toolkit.cli import cli

# Commands whose answer is one of the two older files, and the further answers of commands that have several.
OLDER = {"compare": "report", "runs-compare": "pair"}
FURTHER = {"check-questions", "compare-ranking", "compare-scales"}


def answering(command: click.Command, name: str) -> Iterator[str]:
    """The names of commands with --json."""
    if any(one.name == "as_json" for one in command.params):
        yield name
    if isinstance(command, click.Group):
        for inner in command.list_commands(click.Context(command)):
            found = command.get_command(click.Context(command), inner)
            assert found is not None
            yield from answering(found, f"{name}-{inner}".strip("-"))


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_file_is_what_the_type_says(name: str):
    written = json.loads((DOCS / name).read_text(encoding="utf-8"))

    assert written == SCHEMAS[name](), "write it with: make docs"
    jsonschema.Draft202012Validator.check_schema(written)
    assert written["title"]


def test_every_command_with_json_has_a_schema_and_no_other_has():
    there = {path.name.removesuffix(".schema.json") for path in (DOCS / "schemas").iterdir()}

    assert set(answering(cli, "")) - OLDER.keys() == there - FURTHER
    assert {f"{name}.schema.json" for name in OLDER.values()} <= SCHEMAS.keys()


def test_the_guide_for_agents_names_every_schema():
    named = set(
        re.findall(r"\((?:schemas/)?([\w-]+)\.schema\.json\)", (DOCS / "agents.md").read_text(encoding="utf-8"))
    )

    assert named == {Path(name).name.removesuffix(".schema.json") for name in SCHEMAS}


@pytest.mark.parametrize(
    ("arguments", "name"),
    [((), "runs"), (("show", "v0"), "runs-show"), (("diff", "v0", "v1"), "runs-diff"),
     (("compare", "v0", "v1"), "pair")],
)  # fmt: skip
def test_runs_answers_as_it_promises(tmp_path: Path, arguments: tuple[str, ...], name: str):
    done = run_here("runs", *arguments, "--json", "--output", two_runs(tmp_path))

    assert holds(name, json.loads(done.out))


def test_a_damaged_run_is_a_line_too(tmp_path: Path):
    (two_runs(tmp_path) / "v0-20260101-000000" / "run.json").write_text("{", encoding="utf-8")

    listed = holds("runs", json.loads(run_here("runs", "--json", "--output", tmp_path).out))

    assert [one["status"] for one in listed] == ["damaged", "finished"]


def test_a_scan_and_a_sweep_answer_as_they_promise():
    assert holds("scan", scan_with(finding("Larkspur")).to_dict())["findings"]
    assert len(holds("sweep", sweep_of(entry(0, 0.95, 0.01), entry(1, 0.5, 0.03)).to_dict())["runs"]) == 2


def test_a_schema_knows_every_field():
    with pytest.raises(jsonschema.ValidationError, match="Additional properties"):
        holds("sweep", sweep_of(entry(0, 0.95, 0.01)).to_dict() | {"new": 1})
