"""Errors as users read them: what failed and what to do next; the first line of a library's error."""

import pytest

from toolkit.core.errors import ConfigError, ToolkitError, first_line


def test_an_error_reads_as_what_failed_and_what_to_do_next() -> None:
    error = ConfigError("No run v9.", next='List them with "toolkit runs".')

    assert str(error) == 'No run v9. List them with "toolkit runs".'
    assert str(ToolkitError("No run v9.")) == "No run v9."


def test_the_first_line_leaves_out_what_follows_and_the_final_point() -> None:
    assert first_line(RuntimeError("CUDA error: out of memory.\nCompile with TORCH_USE_CUDA_DSA.")) == (
        "CUDA error: out of memory"
    )


def test_blank_lines_before_the_text_do_not_count() -> None:
    assert first_line(ValueError("\n  \n  Bad shape.\n")) == "Bad shape"


@pytest.mark.parametrize("text", ["", "\n", " \t\n  "])
def test_an_error_without_text_is_named_by_its_class(text: str) -> None:
    assert first_line(TimeoutError(text)) == "TimeoutError"


def test_an_error_without_arguments_is_named_by_its_class() -> None:
    assert first_line(KeyboardInterrupt()) == "KeyboardInterrupt"


def test_a_long_line_is_cut_at_the_limit() -> None:
    assert first_line(ValueError("x" * 300)) == "x" * 200
    assert first_line(ValueError("x" * 300), limit=10) == "x" * 10
