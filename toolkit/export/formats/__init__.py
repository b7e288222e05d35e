"""The table of formats: what `--to` can name, and what each says to `--quantisation` and `--unchecked`."""

from collections.abc import Callable, Mapping

from toolkit.core.errors import ConfigError
from toolkit.export.formats.adapter import Adapter
from toolkit.export.formats.base import ExportConfig, Form
from toolkit.export.formats.gguf import QUANTISATIONS, Gguf
from toolkit.export.formats.merged import Merged
from toolkit.export.formats.ollama import Ollama
from toolkit.export.formats.quantised import BITS, Quantised

FORMS: Mapping[str, Callable[[ExportConfig], Form]] = {
    "merged": lambda _: Merged(),
    "adapter": lambda _: Adapter(),
    "gguf": lambda config: Gguf(config.quantisation, unchecked=config.unchecked),
    "ollama": lambda config: Ollama(config.quantisation, unchecked=config.unchecked),
    **{name: lambda config: Quantised(config.to, config.quantisation) for name in BITS},
}
# A format's kinds, the default first; what is not here has none.
KINDS: Mapping[str, tuple[str, ...]] = {
    "gguf": QUANTISATIONS,
    "ollama": QUANTISATIONS,
    **{name: tuple(kinds) for name, kinds in BITS.items()},
}
UNCHECKED = ("gguf", "ollama")


def form_for(config: ExportConfig) -> Form:
    """Raises ConfigError for an option that the format does not have."""
    kinds = KINDS.get(config.to, ())
    if config.quantisation is not None and config.quantisation not in kinds:
        takes = f"takes {', '.join(kinds)}" if kinds else "takes none"
        raise ConfigError(f"--quantisation {config.quantisation}: --to {config.to} {takes}.", next="Correct it.")
    if config.unchecked and config.to not in UNCHECKED:
        raise ConfigError(
            f"--to {config.to} takes no --unchecked: its gate needs nothing more.", next="Leave it out."
        )  # fmt: skip
    return FORMS[config.to](config)
