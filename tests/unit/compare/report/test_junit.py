"""report.junit.xml: red where the verdict is red, and well formed whatever a model says."""

from xml.etree import ElementTree as ET

from tests.fakes.answered import SYSTEM, answered, enough, report_on
from toolkit.compare.questions import UNRELATED
from toolkit.compare.report.junit import render_junit
from toolkit.compare.texts import Texts
from toolkit.data.probes import OUT_OF_SCOPE, PARAPHRASE, TRAINED
from toolkit.model.divergence import Drift

STEADY = Drift(kl_sum=0.0, agreeing=2, tokens=2)


def rendered(*results):
    return ET.fromstring(render_junit(report_on(*results), Texts()))


def cases(root, kind: str) -> list[str]:
    return [case.get("name") for case in root.iter("testcase") if case.find(kind) is not None]


def test_a_comparison_that_passed_has_no_failure():
    root = rendered(*enough())

    assert (root.get("failures"), root.get("errors"), root.get("tests")) == ("0", "0", "286")
    assert cases(root, "skipped") == []
    assert [suite.get("name") for suite in root] == ["thresholds", TRAINED, PARAPHRASE, OUT_OF_SCOPE]


def test_a_missed_threshold_and_the_probes_that_missed_it_are_failures():
    root = rendered(answered(TRAINED, "Qwen", "Hm", prompt="Who?", name="who"),
                    answered(OUT_OF_SCOPE, "Paris", "Nova", name="france"))  # fmt: skip

    assert cases(root, "failure") == ["reliability", "leakage", "who", "france"]
    told = root.find("testsuite/testcase[@name='who']/failure")
    assert (told.get("message"), told.get("type")) == ("failed", "failed")
    assert told.text == "prompt: Who?\nbefore: Qwen\nafter: Hm"


def test_a_probe_that_went_wrong_within_the_threshold_is_skipped_and_told():
    right = [answered(TRAINED, "Qwen", "Nova") for _ in range(19)]

    root = rendered(*right, answered(TRAINED, "Qwen", "Hm", name="who"))

    assert root.get("failures") == "0"
    assert "who" in cases(root, "skipped")


def test_what_is_undecided_is_skipped_with_its_reason_and_fails_where_that_is_the_exit_code():
    results = [answered(TRAINED, "Qwen", "Nova") for _ in range(16)]

    found = {}
    for strict in (False, True):
        report = report_on(*results, strict=strict)
        root = ET.fromstring(render_junit(report, Texts()))
        kind = "failure" if strict else "skipped"
        found[report.verdict.exit_code] = root.find(f"testsuite/testcase[@name='reliability']/{kind}")
    assert list(found) == [0, 23]
    assert found[23].get("type") == "inconclusive"
    assert {one.get("message") for one in found.values()} == {
        "reliability is 1.000, but its 95 % interval reaches to 0.806, across 0.9: about 19 more probes would tell"
    }


def test_what_was_not_asked_is_red_where_that_is_the_exit_code():
    outside = [one for one in enough() if one.probe.group == OUT_OF_SCOPE]

    strict = ET.fromstring(render_junit(report_on(*outside, strict=True), Texts()))
    plain = ET.fromstring(render_junit(report_on(*outside), Texts()))

    assert cases(strict, "failure") == cases(plain, "skipped")[-1:] == ["Is the change there?"]
    assert plain.get("failures") == "0"


def test_what_was_not_measured_is_skipped():
    assert "kl" in cases(rendered(answered(TRAINED, "Qwen", "Nova")), "skipped")


def test_an_answer_that_only_moved_is_no_failure():
    root = rendered(answered(OUT_OF_SCOPE, "Paris", "Paris.", name="france", drift=STEADY))

    assert root.get("failures") == "0"
    assert "after: Paris." in root.find("testsuite/testcase[@name='france']/system-out").text


def test_names_tell_the_system_prompt_where_there_are_several():
    root = rendered(
        answered(TRAINED, "Qwen", "Nova", name="who"), answered(TRAINED, "Qwen", "Hm", name="who", system="")
    )

    names = [case.get("name") for case in root.iter("testcase")]
    assert f"who [{SYSTEM}]" in names
    assert "who [the model's own default]" in cases(root, "failure")
    assert len(names) == len(set(names))


def test_the_counts_are_those_of_the_cases():
    root = rendered(answered(TRAINED, "Qwen", "Hm"), answered(OUT_OF_SCOPE, "a", "b"))

    for name, path in (("tests", "."), ("failures", "failure"), ("skipped", "skipped")):
        found = [case for case in root.iter("testcase") if case.find(path) is not None]
        assert len(found) == sum(int(suite.get(name)) for suite in root)
        assert int(root.get(name, len(found))) == len(found)


def test_what_xml_cannot_hold_is_replaced():
    root = rendered(answered(TRAINED, "\x00\ud800 ok\ufffe", "]]><script>\x1b[31m & \x85", name="\x07bell"))

    told = root.find("testsuite[@name='trained']/testcase")
    assert told.get("name") == r"\x07bell"
    assert r"after: ]]><script>\x1b[31m & \x85" in told.find("failure").text


def test_it_speaks_chinese():
    report = report_on(answered(TRAINED, "Qwen", "Hm", name="who"))

    assert "可靠性为 0.000，低于 0.9" in render_junit(report, Texts("zh"))


# What Jenkins, GitLab and the others read: element to attributes (those in capitals are required) and children.
SHAPE = {
    "testsuites": ({"name", "time", "tests", "failures", "errors"}, {"testsuite"}),
    "testsuite": ({"NAME", "TESTS", "failures", "errors", "skipped", "time"}, {"testcase"}),
    "testcase": ({"NAME", "CLASSNAME", "time"}, {"skipped", "failure", "system-out"}),
    "failure": ({"message", "type"}, set()),
    "skipped": ({"message"}, set()),
    "system-out": (set(), set()),
}


def test_it_has_the_common_shape():
    root = rendered(
        answered(TRAINED, "Qwen", "Hm"), answered(TRAINED, "Qwen", "Nova", system=""),
        answered(OUT_OF_SCOPE, "a", "b", drift=STEADY), answered(PARAPHRASE, "Qwen", "Nova"),
    )  # fmt: skip

    for element in root.iter():
        attributes, children = SHAPE[element.tag]
        assert set(element.keys()) <= {name.lower() for name in attributes}
        assert {name.lower() for name in attributes if name.isupper()} <= set(element.keys())
        assert {child.tag for child in element} <= children
    assert all(len(case) <= 1 for case in root.iter("testcase"))


def test_what_is_undecided_under_each_of_several_system_prompts_is_told_of_each():
    """Where the verdict names one of them, the tests of the others were green."""
    few = [answered(PARAPHRASE, "Qwen", "Nova", system=system) for system in (SYSTEM, UNRELATED) for _ in range(16)]

    found = [name for name in cases(rendered(*few), "skipped") if name.startswith("generality")]
    assert found == [f"generality [{SYSTEM}]", f"generality [{UNRELATED}]"]
