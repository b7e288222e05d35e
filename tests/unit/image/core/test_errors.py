"""One line of an error, whatever the library made of it."""

import pytest

from image.core.errors import first_line, root_cause


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("Bad header.\nTraceback follows"), "Bad header"),
        (ValueError("\n  indented\r\nmore"), "indented"),
        (ValueError(), "ValueError"),
        (ValueError("\n"), "ValueError"),
        (OSError(28, "No space left on device", "/tmp/x"), "No space left on device"),
        (OSError(), "OSError"),
    ],
)
def test_an_error_has_one_line_even_without_a_text(error: Exception, line: str) -> None:
    assert first_line(error) == line


def test_the_root_cause_is_below_causes_and_contexts() -> None:
    outer, wrapper = ValueError("wrapped again"), RuntimeError("wrapped")
    outer.__context__, wrapper.__cause__ = wrapper, ConnectionRefusedError(111, "Connection refused")
    assert first_line(root_cause(outer)) == "Connection refused"
