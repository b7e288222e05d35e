"""The table of formats: what `--to` can name."""

from collections.abc import Callable, Mapping

from toolkit.export.adapter import Adapter
from toolkit.export.form import ExportConfig, Form
from toolkit.export.merged import Merged

FORMS: Mapping[str, Callable[[ExportConfig], Form]] = {
    "merged": lambda _: Merged(),
    "adapter": lambda _: Adapter(),
}
