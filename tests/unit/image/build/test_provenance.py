"""Where an image came from, as its labels say; and where two statements first differ."""

import json

from image.build.provenance import PROVENANCE, SBOM, first_difference, predicates, provenance
from tests.fakes.built_image import LABELS


def test_source_base_image_and_lock_are_dependencies_with_their_digests() -> None:
    found = provenance(LABELS)["buildDefinition"]["resolvedDependencies"]

    assert [(one["uri"], one["digest"]) for one in found] == [
        (f"git+https://example.org/me/finetune-and-prove@{'a' * 40}", {"gitCommit": "a" * 40}),
        ("docker://nvidia/cuda:13", {"sha256": "b" * 64}),
        (f"Qwen/Qwen2.5-7B-Instruct@{'c' * 40}", {"sha256": "d" * 64}),
    ]


def test_a_checkout_with_changes_has_no_digest() -> None:
    [source, *_] = provenance(LABELS | {"org.opencontainers.image.revision": "a" * 40 + "-dirty"})[
        "buildDefinition"
    ]["resolvedDependencies"]  # fmt: skip

    assert source["uri"].endswith("-dirty")
    assert "digest" not in source


def test_an_image_without_a_model_has_no_lock() -> None:
    without = {name: value for name, value in LABELS.items() if not name.startswith("finetune-and-prove.model")}

    assert len(provenance(without)["buildDefinition"]["resolvedDependencies"]) == 2


def test_the_same_image_gives_the_same_statements() -> None:
    bill = json.dumps({"components": []})

    assert predicates(LABELS, bill) == predicates(dict(LABELS), bill)
    assert list(predicates(LABELS, bill)) == [PROVENANCE, SBOM]


def test_the_first_difference_is_named_with_its_place() -> None:
    one = {"a": {"b": [{"c": 1}, {"c": 2}]}, "d": [1]}

    assert first_difference(one, one) is None
    assert (
        first_difference({"a": {"b": [{"c": 1}, {"c": 3}]}, "d": [1]}, one)
        == "a.b[1].c: 3 is stated, and the image has 2"
    )
    assert first_difference(one | {"d": [1, 2]}, one) == "d: 2 entries is stated, and the image has 1 entries"
    assert first_difference(one | {"e": "x"}, one) == 'e: "x" is stated, and the image has null'
    assert first_difference(None, one) is not None
