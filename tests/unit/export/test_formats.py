"""The table of formats: their names, and which options they accept."""

import pytest

from toolkit.core.errors import ConfigError
from toolkit.export.formats import FORMATS, format_for
from toolkit.export.formats.base import ExportConfig


@pytest.mark.parametrize(
    ("config", "fault"),
    [
        ({"to": "merged", "quantisation": "q8_0"}, "--quantization q8_0: --to merged does not accept this option"),
        ({"to": "gguf", "quantisation": "nf4"}, "--quantization nf4: --to gguf accepts f16, q8_0, q4_k_m"),
        ({"to": "bnb", "unchecked": True}, "--to bnb does not accept --unchecked"),
    ],
)
def test_an_option_that_a_format_does_not_have_is_refused(config, fault):
    with pytest.raises(ConfigError, match=fault):
        format_for(ExportConfig(**config))


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_has_the_name_of_its_option(name):
    assert format_for(ExportConfig(to=name)).name == name


def test_each_quantisation_has_its_own_folder():
    folders = {format_for(ExportConfig(to="gguf", quantisation=kind)).folder for kind in (None, "q8_0", "q4_k_m")}

    assert folders == {"gguf-f16", "gguf-q8_0", "gguf-q4_k_m"}
