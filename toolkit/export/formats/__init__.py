"""The table of formats: the values of `--to`, and which take `--quantization` and `--unchecked`."""

from collections.abc import Callable, Mapping

from toolkit.core.errors import ConfigError
from toolkit.export.formats.adapter import PortableAdapter
from toolkit.export.formats.base import ExportConfig, Format
from toolkit.export.formats.gguf import QUANTISATIONS, Gguf
from toolkit.export.formats.merged import MergedModel
from toolkit.export.formats.ollama import Ollama
from toolkit.export.formats.quantised import BITS, QuantisedModel

FORMATS: Mapping[str, Callable[[ExportConfig], Format]] = {
    "merged": lambda _: MergedModel(),
    "adapter": lambda _: PortableAdapter(),
    "gguf": lambda config: Gguf(config.quantisation, unchecked=config.unchecked),
    "ollama": lambda config: Ollama(config.quantisation, unchecked=config.unchecked),
    **{name: lambda config: QuantisedModel(config.to, config.quantisation) for name in BITS},
}
# The values of --quantization, the default first; formats that are not listed take none.
KINDS: Mapping[str, tuple[str, ...]] = {
    "gguf": QUANTISATIONS,
    "ollama": QUANTISATIONS,
    **{name: tuple(kinds) for name, kinds in BITS.items()},
}
UNCHECKED = ("gguf", "ollama")


def format_for(config: ExportConfig) -> Format:
    """Raises ConfigError for an option that the format does not take."""
    kinds = KINDS.get(config.to, ())
    if config.quantisation is not None and config.quantisation not in kinds:
        accepted = f"accepts {', '.join(kinds)}" if kinds else "does not accept this option"
        raise ConfigError(
            f"--quantization {config.quantisation}: --to {config.to} {accepted}.",
            next="Change the option or leave it out.",
        )
    if config.unchecked and config.to not in UNCHECKED:
        raise ConfigError(
            f"--to {config.to} does not accept --unchecked: its gate needs no further program.", next="Leave it out."
        )
    return FORMATS[config.to](config)
