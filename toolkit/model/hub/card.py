"""The front matter of a model card, as the Hugging Face hub reads it. Pure: asks no hub."""

from collections.abc import Sequence


def front_matter(
    *,
    base_model: str | None,
    languages: Sequence[str],
    licence: str | None,
    licence_name: str | None,
    tags: Sequence[str],
) -> str:
    """YAML without the `---` around it, for an adapter in PEFT's format.

    `base_model`: its hub id; None where it has none. `licence`: one of the hub's identifiers; `licence_name` is for
    the identifier "other". Fields: https://huggingface.co/docs/hub/model-cards.
    """
    from huggingface_hub import ModelCardData

    relation = {} if base_model is None else {"base_model_relation": "adapter"}
    data = ModelCardData(
        base_model=base_model, language=list(languages) or None, library_name="peft", license=licence,
        license_name=licence_name, pipeline_tag="text-generation", tags=list(tags), **relation,
    )  # fmt: skip
    return str(data.to_yaml())
