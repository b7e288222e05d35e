"""Two reports become pairs of answers: each question once, those that differ most first, those of one run apart."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.fakes.answered import SYSTEM, answered
from tests.fakes.paired import POET, compared_run, learned, two_runs
from toolkit.compare.report.pair.difference import differences
from toolkit.compare.report.pair.named import named
from toolkit.compare.report.pair.pair import LEFT, RIGHT, of_every_group, once_each, read_pair
from toolkit.compare.texts import Texts
from toolkit.core.errors import ConfigError
from toolkit.data.probes import OUT_OF_SCOPE, PARAPHRASE, TRAINED, Expectation

SCHEMAS = Path(__file__).parents[4] / "fixtures" / "schemas"


def test_answers_to_the_same_question_under_the_same_system_prompt_are_a_pair(tmp_path: Path):
    pair = read_pair("v0", "v1", two_runs(tmp_path))

    assert (pair.left.name, pair.right.name) == ("v0 (article)", "v1 (keep)")
    assert (len(pair.both), pair.only(LEFT), pair.only(RIGHT)) == (10, [], [])
    assert {(one.either.system, one.either.probe.id) for one in pair.both} == {
        (system, name) for system in (SYSTEM, POET) for name in "tpion"
    }  # fmt: skip
    assert all(one.left and one.right and one.left.probe.prompt == one.right.probe.prompt for one in pair.both)


def test_where_they_differ_most_comes_first(tmp_path: Path):
    pair = read_pair("v0", "v1", two_runs(tmp_path))

    assert [one.either.probe.id for one in once_each(pair.questions)] == ["o", "p", "n", "t", "i"]
    assert [one.better for one in once_each(pair.questions)] == [RIGHT, RIGHT, RIGHT, "", ""]
    turned = read_pair("v1", "v0", tmp_path)
    assert [one.better for one in once_each(turned.questions)] == [LEFT, LEFT, LEFT, "", ""]


def test_a_question_that_only_one_run_was_asked_is_apart_and_so_is_one_with_another_expectation(tmp_path: Path):
    probe = answered(TRAINED, "Qwen", "Nova", prompt="Both?", name="b")
    other = replace(probe, probe=replace(probe.probe, expect=Expectation(any=("Nova", "nova"))))
    compared_run(tmp_path, 0, [*learned(forgets=True), probe])
    compared_run(
        tmp_path, 1, [*learned(forgets=False), other, answered(OUT_OF_SCOPE, "a", "b", prompt="New?", name="x")]
    )

    pair = read_pair("v0", "v1", tmp_path)

    assert [one.either.probe.prompt for one in pair.only(LEFT)] == ["Both?"]
    assert [one.either.probe.prompt for one in pair.only(RIGHT)] == ["Both?", "New?"]
    assert [one.in_both for one in pair.questions] == [True] * 10 + [False] * 3
    assert not any(one.better or one.differs for one in pair.questions[10:])


def test_an_id_may_change_and_equal_questions_are_counted_apart(tmp_path: Path):
    for number, age in enumerate(("old", "new")):
        twice = [answered(TRAINED, "Qwen", f"Nova {at}", prompt="Who?", name=f"{age}-{at}") for at in range(2)]
        compared_run(tmp_path, number, twice)

    pair = read_pair("v0", "v1", tmp_path)

    assert len(pair.both) == 2
    assert all(one.left and one.right and one.left.after == one.right.after for one in pair.both)


def test_the_base_models_own_answers_are_compared(tmp_path: Path):
    compared_run(tmp_path, 0, [answered(TRAINED, "I am Qwen", "Nova", name="t")])
    compared_run(tmp_path, 1, [answered(TRAINED, "Qwen", "Nova", name="t")])

    assert [one.same_before for one in read_pair("v0", "v1", tmp_path).both] == [False]


def test_one_of_every_group_is_seen_before_a_second_of_any(tmp_path: Path):
    pair = read_pair("v0", "v1", two_runs(tmp_path))

    assert [one.either.probe.group for one in of_every_group(pair.both, 2)] == [OUT_OF_SCOPE, PARAPHRASE]
    assert {one.either.probe.group for one in of_every_group(pair.both, 3)} == {OUT_OF_SCOPE, PARAPHRASE, TRAINED}
    assert of_every_group(pair.both, 99) == pair.both


def test_names_without_the_recipe_where_it_is_the_same(tmp_path: Path):
    compared_run(tmp_path, 0, learned(forgets=True))
    compared_run(tmp_path, 2, learned(forgets=False))

    pair = read_pair("v0", "v2", tmp_path)

    assert (pair.left.name, pair.right.name) == ("v0", "v2")


def test_runs_of_two_output_folders_with_one_number_have_different_names(tmp_path: Path):
    for name in ("a", "b"):
        compared_run(tmp_path / name, 0, learned(forgets=True))

    pair = read_pair(str(tmp_path / "a" / "v0-20260101-000000"), str(tmp_path / "b" / "v0-20260101-000000"), tmp_path)

    assert pair.left.name != pair.right.name


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"base_model": {"name": "other", "path": "/o"}}, "different base models: micro and other"),
        (
            {"base_model": {"name": "micro", "path": "/m", "revision": "b" * 40}},
            "different base models: micro and micro b",
        ),
        ({"base_model": {"name": "micro", "path": "/m", "load_in_4bit": True}}, "micro and micro in 4 bits"),
        ({"report": {"probes": []}}, "asked no question that is the same"),
    ],
)
def test_what_has_nothing_in_common_is_refused(tmp_path: Path, changes: dict, message: str):
    compared_run(tmp_path, 0, learned(forgets=True))
    compared_run(tmp_path, 1, learned(forgets=False), **changes)

    with pytest.raises(ConfigError, match=message):
        read_pair("v0", "v1", tmp_path)


def test_a_report_with_another_side_before_is_refused(tmp_path: Path):
    compared_run(tmp_path, 0, learned(forgets=True))
    side = {"kind": "system", "name": "a prompt", "model": {"name": "micro", "path": "/m"}, "system": "You are Nova."}
    compared_run(tmp_path, 1, learned(forgets=False), report={"before": side})

    with pytest.raises(ConfigError, match="has not been compared with its base: its report is on other sides"):
        read_pair("v0", "v1", tmp_path)


def test_a_run_is_not_compared_with_itself_nor_without_a_report(tmp_path: Path):
    two_runs(tmp_path)
    with pytest.raises(ConfigError, match="the same run"):
        read_pair("v0", "v0-20260101-000000", tmp_path)

    file = tmp_path / "v1-20260101-000001" / "compare" / "report.json"
    file.write_text("{", encoding="utf-8")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_pair("v0", "v1", tmp_path)
    file.unlink()
    with pytest.raises(ConfigError, match="v1-20260101-000001 has not been compared yet") as raised:
        read_pair("v0", "v1", tmp_path)
    assert "compare v1-20260101-000001" in raised.value.next


def test_reports_of_older_versions_are_paired_too(tmp_path: Path):
    """Of the run that all versions compared: what they did not record has no difference, and is named."""
    first, second = (str(next((SCHEMAS / name).glob("v0-*"))) for name in ("report-2", "report-3"))

    pair = read_pair(first, second, tmp_path)

    assert len(pair.both) == 12
    assert {"reliability", "locality"} <= differences(pair).keys()
    assert "kl" not in differences(pair)
    assert [text.rpartition("; ")[2] for text, _ in named(pair, Texts())] == ["compare it again"] * 2
