"""The frontier as SVG: what it shows of each run, in a file and within a page."""

import itertools
import re
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from tests.fakes.swept import entry
from toolkit.compare.texts import LANGUAGES, Texts
from toolkit.sweep.frontier import Recommendation
from toolkit.sweep.labels import text_width
from toolkit.sweep.plot import FONT_SIZE, MARKS, NARROW, WIDE, Canvas, frontier_svg
from toolkit.sweep.record import Entry

SVG = "{http://www.w3.org/2000/svg}"


def advice(run: str | None = None, *, passed: bool = True) -> Recommendation:
    return Recommendation(run=run, passed=passed, reason="")


def drawn(*entries: Entry, recommended: str | None = None) -> ET.Element:
    svg = frontier_svg(entries, entries[:1], advice(recommended), standalone=True)
    assert svg is not None
    return ET.fromstring(svg)


def of_class(root: ET.Element, name: str) -> list[ET.Element]:
    return [one for one in root.iter() if one.get("class") == name]


def texts(root: ET.Element) -> list[str]:
    return [one.text or "" for one in root.iter(f"{SVG}text")]


def test_each_run_is_a_point_with_its_number_recipe_and_epochs():
    found = texts(drawn(entry(3, 1.0, 0.001), entry(4, 0.4, 0.05, epochs=1, name="article")))

    assert {"v3 keep", "5 epochs, weight 3", "v4 article", "1 epoch, weight 4"} <= set(found)


def test_passed_failed_and_recommended_runs_look_different():
    root = drawn(entry(1, 1.0, 0.001), entry(2, 1.0, 0.002), entry(3, 0.2, 0.1), recommended="v2-20260101-000000")

    legend = 1
    assert [len(of_class(root, name)) - legend for name in ("passed", "failed", "ring")] == [2, 1, 1]


def test_the_thresholds_are_lines_with_their_values():
    root = drawn(entry(1, 1.0, 0.001))

    assert len(of_class(root, "limit")) == 2
    assert {"at least 0.9", "at most 0.02"} <= set(texts(root))


def test_without_thresholds_there_is_neither_line_nor_zone():
    root = drawn(replace(entry(1, 1.0, 0.001), thresholds={}))

    assert (of_class(root, "limit"), of_class(root, "zone")) == ([], [])


def test_what_fails_by_a_measure_that_the_plot_does_not_show_says_so():
    assert "5 epochs, leakage 0.300" in texts(drawn(entry(1, 1.0, 0.001, leakage=0.3)))


def test_more_learned_is_further_right_and_more_drift_higher():
    root = drawn(entry(1, 0.95, 0.001), entry(2, 1.0, 0.01))
    by_title = {}
    for group in root.iter(f"{SVG}g"):
        title, dot = group.find(f"{SVG}title"), group.find(f"{SVG}circle[@class='passed']")
        if title is not None and dot is not None:
            by_title[str(title.text)[:2]] = float(dot.get("cx", 0)), float(dot.get("cy", 0))

    assert by_title["v2"][0] > by_title["v1"][0]
    assert by_title["v2"][1] < by_title["v1"][1]


def test_a_drift_of_nothing_is_drawn_at_the_least():
    assert len(of_class(drawn(entry(1, 1.0, 0.0), entry(2, 1.0, 0.01)), "passed")) == 3


def test_names_are_text_and_not_markup():
    assert "v1 <b>&" in texts(drawn(entry(1, 1.0, 0.001, name="<b>&")))


def test_only_a_file_brings_a_style_and_a_name_space():
    entries = [entry(1, 1.0, 0.001)]

    alone = frontier_svg(entries, entries, advice(), standalone=True) or ""
    within = frontier_svg(entries, entries, advice(), standalone=False) or ""

    assert "prefers-color-scheme:dark" in alone
    assert "<style" not in within
    assert "xmlns" not in within
    assert not re.search(r"\sstyle=", alone), "a page's security policy forbids style attributes"


@pytest.mark.parametrize("metrics", [{}, {"reliability": 1.0}, {"kl": 0.1}])
def test_without_both_measures_there_is_no_plot(metrics: dict[str, float | None]):
    assert frontier_svg([replace(entry(1, 1.0, 0.1), metrics=metrics)], [], advice(), standalone=True) is None


def test_only_a_run_that_passes_is_recommended():
    entries = [entry(1, 0.5, 0.1), entry(2, 0.6, 0.2)]
    svg = frontier_svg(entries, entries, advice(entries[0].run, passed=False), standalone=True) or ""
    assert ("recommended" in svg, "closest" in svg) == (False, True)


def test_a_chinese_plot_has_no_english_words():
    entries = [entry(1, 1.0, 0.01), entry(2, 0.6, 0.2)]
    svg = frontier_svg(entries, entries, advice(entries[0].run), standalone=True, texts=Texts("zh")) or ""
    root = ET.fromstring(svg)
    shown = [text for one in root.iter() if one.tag.endswith("text") and (text := one.text or "")]
    assert not [text for text in shown if "epoch" in text or "at least" in text or "passed" in text]
    assert any("推荐" in text for text in shown)


@pytest.mark.parametrize("canvas", [WIDE, NARROW])
@pytest.mark.parametrize("language", LANGUAGES)
def test_no_word_of_the_legend_covers_another_one_or_leaves_the_drawing(language: str, canvas: Canvas):
    entries = [entry(1, 1.0, 0.01)]
    svg = frontier_svg(entries, entries, advice(), standalone=True, texts=Texts(language), canvas=canvas) or ""
    root = ET.fromstring(svg)
    frame = next(one for one in of_class(root, "frame"))
    words = [
        (float(one.get("y", 0)), float(one.get("x", 0)), text_width(one.text or "", FONT_SIZE))
        for one in root.iter(f"{SVG}text")
        if 22 < float(one.get("y", 0)) < float(frame.get("y", 0))
    ]

    assert len(words) == len(MARKS)
    assert max(x + width for _, x, width in words) <= canvas.width
    for (y, x, width), (next_y, next_x, _) in itertools.pairwise(words):
        assert next_y > y or next_x > x + width + min(MARKS.values())


def test_the_narrow_plot_is_as_wide_as_a_phone_and_shows_the_same_runs():
    entries = [entry(1, 1.0, 0.01), entry(2, 0.6, 0.2)]
    root = ET.fromstring(frontier_svg(entries, entries, advice(), standalone=True, canvas=NARROW) or "")

    assert (root.get("viewBox") or "").split()[2] == "360"
    assert {(title.text or "")[:2] for title in root.iter(f"{SVG}title")} == {"v1", "v2"}
    assert {"at least 0.9", "at most 0.02"} <= set(texts(root))
