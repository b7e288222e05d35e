"""`toolkit export` at the terminal."""

import pytest
from click.testing import CliRunner

from toolkit.cli.export import command, summary_lines
from toolkit.core.errors import ConfigError


def test_the_american_spelling_is_shown_first():
    shown = CliRunner().invoke(command, ["--help"]).output
    assert 0 < shown.index("--quantization") < shown.index("--quantisation")


def test_a_format_may_be_in_capitals():
    """As llama.cpp writes them."""
    result = CliRunner().invoke(command, ["--to", "GGUF", "--quantization", "NF4"])
    assert "--quantization nf4: --to gguf accepts" in str(result.exception)


@pytest.mark.parametrize("option", ["--quantisation", "--quantization"])
def test_both_spellings_of_the_option_are_accepted(option):
    result = CliRunner().invoke(command, ["--to", "merged", option, "q8_0"])

    assert isinstance(result.exception, ConfigError)
    assert "--quantization q8_0: --to merged does not accept this option" in str(result.exception)


def test_the_terminal_prints_what_the_gate_found():
    strict = {"probes": 5, "same": 4, "near_ties": 1, "largest_logit_difference": 0.004, "tolerance": 0.25}
    quantised = {
        "checked": True, "by": "llama-cpp-python 1", "probes": 5, "same": 4, "passed": 3, "kept": 3, "strayed": 0,
        "largest_logit_difference": 0.4, "tolerance": {"same": 0.8},
    }  # fmt: skip

    assert summary_lines(strict) == [
        "parity: 4 of 5 answers the same, 1 differ at a near tie",
        "largest logit difference: 0.004 (at most 0.25)",
    ]
    assert summary_lines(quantised) == [
        "parity: 4 of 5 answers the same (by llama-cpp-python 1)",
        "learned answers kept: 3 of 3",
        "largest logit difference: 0.4",
    ]
    assert summary_lines({**quantised, "strayed": 1})[1] == "learned answers kept: 3 of 3, markers out of place: 1"
    assert summary_lines({"checked": False, "holds": None}) == ["parity: not checked"]
