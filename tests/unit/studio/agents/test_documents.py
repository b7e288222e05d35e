"""What agents read: runs and reports by a run's own name, and the pages of docs/."""

import json
from pathlib import Path

import pytest

from tests.fakes.paired import two_runs
from toolkit.core.errors import ConfigError
from toolkit.studio.agents.documents import LONGEST, cut, pages, report_text, run_text, runs_text

RUN = "v0-20260101-000000"


@pytest.fixture(name="results")
def _results(tmp_path: Path) -> Path:
    return two_runs(tmp_path / "output")


def test_the_guide_for_agents_comes_first_of_the_docs():
    found = list(pages())

    assert found[0].name == "agents.md"
    assert {"data.md", "comparing.md", "cli.md"} <= {page.name for page in found}
    assert all(page.title and len(page.text()) <= LONGEST + 100 for page in found)


def test_runs_and_a_run_are_read_as_the_command_line_shows_them(results: Path):
    assert [one["run_id"] for one in json.loads(runs_text(results))] == [RUN, "v1-20260101-000001"]
    assert json.loads(run_text(results, RUN))["verdict"]["took"] is False


def test_a_report_is_its_markdown(results: Path):
    with pytest.raises(ConfigError, match="no report"):
        report_text(results, RUN)
    (results / RUN / "compare" / "report.md").write_text("# What changed\n", encoding="utf-8")

    assert report_text(results, RUN) == "# What changed\n"


@pytest.mark.parametrize("name", ["..", "latest", "../secret", "v0-20260101-000000/..", "", "v0-20260101-000000\n"])
def test_only_a_runs_own_name_leads_to_a_folder(results: Path, name: str):
    for read in (run_text, report_text):
        with pytest.raises(ConfigError, match="not the name of a run"):
            read(results, name)


def test_what_is_cut_says_where_all_of_it_is():
    assert cut("x" * (LONGEST + 1), "the file").endswith("(cut; all of it: the file)")
