"""The table of formats: what `--to` can name."""

from collections.abc import Callable, Mapping

from toolkit.errors import ConfigError
from toolkit.export.form import ExportConfig, Form
from toolkit.export.gguf import Gguf
from toolkit.export.merged import Merged
from toolkit.export.ollama import Ollama

FORMS: Mapping[str, Callable[[ExportConfig], Form]] = {
    "merged": lambda _: Merged(),
    "gguf": lambda config: Gguf(config.quantisation, unchecked=config.unchecked),
    "ollama": lambda config: Ollama(config.quantisation, unchecked=config.unchecked),
}
OF_GGUF = ("gguf", "ollama")  # the formats that --quantisation and --unchecked speak of


def form_for(config: ExportConfig) -> Form:
    """Raises ConfigError for an option that the format does not have."""
    if config.to not in OF_GGUF:
        for option, given in (("--quantisation", config.quantisation), ("--unchecked", config.unchecked)):
            if given:
                raise ConfigError(f"--to {config.to} takes no {option}.", next=f"It is for --to {', '.join(OF_GGUF)}.")
    return FORMS[config.to](config)
