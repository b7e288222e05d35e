"""The loader itself: the root node knows the lines of its parts."""

from toolkit.core.plain_yaml import load


def test_the_node_knows_the_lines():
    value, node = load("# a comment\nprobes:\n  - a\n\n  - b\n")

    assert value == {"probes": ["a", "b"]}
    assert node is not None
    assert [item.start_mark.line + 1 for item in node.value[0][1].value] == [3, 5]
