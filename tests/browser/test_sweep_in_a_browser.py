"""sweep.html as a reader sees it: nothing loaded, nothing run, nothing cut off, nothing inaccessible."""

import pytest

from tests.browser.conftest import expect_a_sound_file
from tests.fakes.swept import broken, entry, sweep_of
from toolkit.compare.texts import Texts
from toolkit.sweep.page import sweep_page

EVIL = "</small><script>window.ran = 1</script><img src='http://x.invalid/y' onerror='window.ran = 1'> " + "long" * 200
HEADLINE = {"en": "Recommended: v2-", "zh": "推荐：v2-"}
FIGURE = {"en": "reliability", "zh": "可靠性"}


@pytest.fixture(scope="module", name="seen")
def _seen(language, look, tmp_path_factory):
    """Runs that pass and fail, also by a metric that is shown only then, and one that could not be trained."""
    runs = (
        entry(1, 0.55, 0.09, leakage=0.14, residue=0.2, name="article"), entry(2, 1.0, 0.001, epochs=20, residue=0.0),
        entry(3, 0.95, 0.005, outcome="inconclusive", residue=0.0), broken(4, EVIL),
    )  # fmt: skip
    file = tmp_path_factory.mktemp("page") / "sweep.html"
    file.write_text(sweep_page(sweep_of(*runs), Texts(language)), encoding="utf-8")
    return look(file)


def test_nothing_is_loaded_run_wider_than_the_screen_or_inaccessible(seen):
    expect_a_sound_file(seen)


def test_the_headline_and_the_figures_are_there_at_each_width(seen, language):
    for one in seen:
        assert HEADLINE[language] in one["text"]
        assert FIGURE[language] in one["text"] or one["width"] == 390  # there each figure has its name before it


def test_a_dark_page_is_dark(seen):
    light, dark = ({one["background"] for one in seen if one["colorScheme"] == scheme} for scheme in ("light", "dark"))
    assert (light, dark) == ({"rgb(245, 246, 248)"}, {"rgb(13, 16, 21)"})


def test_the_plot_is_the_one_that_fits(seen):
    assert [one["plots"] for one in seen] == [["narrow"], ["narrow"], ["wide"], ["wide"]]


def test_nothing_is_cut_off(seen):
    assert [one["cut"] for one in seen] == [0, 0, 0, 0]
