"""An adapter over its strength as SVG."""

from xml.etree import ElementTree as ET

from toolkit.sweep.scale_plot import scales_svg

SVG = "{http://www.w3.org/2000/svg}"
POINTS = [(0.0, 0.0, 0.0), (0.5, 0.7, 0.004), (1.0, 1.0, 0.012)]


def classes(root: ET.Element, name: str) -> list[ET.Element]:
    return [one for one in root.iter() if one.get("class") == name]


def test_both_curves_have_a_point_for_each_scale_and_their_threshold():
    root = ET.fromstring(scales_svg(POINTS, least_learned=0.9, most_kl=0.01))

    assert (len(classes(root, "curve")), len(classes(root, "curve-dot"))) == (2, 6)
    assert [one.text for one in classes(root, "limit-text")] == ["at least 0.9", "at most 0.01"]


def test_without_thresholds_there_are_only_the_curves():
    root = ET.fromstring(scales_svg(POINTS, least_learned=None, most_kl=None))

    assert (len(classes(root, "curve")), classes(root, "limit")) == (2, [])


def test_an_adapter_that_moves_nothing_is_drawn():
    scales_svg([(0.0, 0.0, 0.0), (1.0, 0.0, 0.0)], least_learned=0.9, most_kl=None)


def test_stronger_is_further_right_and_higher():
    root = ET.fromstring(scales_svg(POINTS, least_learned=0.9, most_kl=0.01))
    dots = [(float(dot.get("cx", 0)), float(dot.get("cy", 0))) for dot in classes(root, "curve-dot")]

    for curve in (dots[:3], dots[3:]):
        assert curve == sorted(curve)
        assert [y for _, y in curve] == sorted((y for _, y in curve), reverse=True)
