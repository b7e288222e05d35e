"""What ms-swift calls a base model: its own names for the family, or ours for a decoder that it only loads.

ms-swift knows hundreds of models by their repositories' names, and cannot say which it is from a folder's architecture.
It needs to know no more than how to load one: its template is used only where it writes what the model's own does.
"""

from pathlib import Path

from toolkit.model.families.family import SwiftNames, family_in

PLAIN = SwiftNames(model_type="plain_decoder", template="dummy")  # the latter is ms-swift's: it writes nothing itself


def swift_names(folder: Path) -> SwiftNames:
    """The model type and template for ms-swift, which has both from here on."""
    names = family_in(folder).swift
    if names is not None:
        return names
    from swift.model.model_meta import MODEL_MAPPING, ModelMeta
    from swift.model.register import ModelLoader, register_model

    if PLAIN.model_type not in MODEL_MAPPING:
        register_model(ModelMeta(PLAIN.model_type, [], ModelLoader, template=PLAIN.template, model_arch=None))
    return PLAIN
