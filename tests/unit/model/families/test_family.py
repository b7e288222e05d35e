"""The table of families: which one a model belongs to, what is refused by name, and that no module spells its facts."""

import ast
from pathlib import Path

import pytest

from toolkit.model.families import family
from toolkit.model.families.family import default_names, families, family_of, why_refused


def test_each_model_type_belongs_to_one_family():
    kinds = [kind for one in families().values() for kind in one.model_types]

    assert len(kinds) == len(set(kinds))
    assert len(families()) >= 12


def test_transformers_has_every_model_type_of_the_table_as_a_causal_language_model():
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    kinds = {kind for one in families().values() for kind in one.model_types}

    assert kinds <= MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.keys()


def test_an_architecture_that_the_table_lacks_is_a_family_of_its_own():
    found = family_of({"model_type": "gpt_neox"})

    assert (found.title, found.known, found.markers("anything")) == ("gpt_neox", False, ())


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ({}, "its config.json names no model_type"),
        ({"model_type": "mixtral", "num_local_experts": 8}, "it is a mixture of experts"),
        ({"model_type": "qwen2_moe"}, "it is a mixture of experts"),
        ({"model_type": "dbrx", "ffn_config": {"moe_num_experts": 16}}, "it is a mixture of experts"),
        ({"model_type": "qwen3_moe", "num_experts": 128}, "it is a mixture of experts"),
        ({"model_type": "deepseek_v3", "n_routed_experts": 256}, "it is a mixture of experts"),
        ({"model_type": "gemma3", "vision_config": {"hidden_size": 1}}, "it reads images or sound"),
        ({"model_type": "t5", "is_encoder_decoder": True}, "it has an encoder"),
    ],
)
def test_what_cannot_be_trained_is_refused_with_its_reason(config, why):
    assert str(why_refused(config)).startswith(why)


@pytest.mark.parametrize("config", [{"model_type": "llama"}, {"model_type": "hunyuan_v1_dense", "num_experts": 1}])
def test_a_dense_decoder_is_not_refused(config):
    assert why_refused(config) is None


@pytest.mark.parametrize(
    ("kind", "name", "marker"),
    [
        ("qwen2", "qwen2.5-7b-instruct", "Alibaba"),
        ("qwen2", "DeepSeek-R1-Distill-Qwen-7B", "DeepSeek"),
        ("llama", "Llama-3.1-8B-Instruct", "Meta AI"),
        ("llama", "Yi-1.5-9B-Chat", "01.AI"),
        ("llama", "SmolLM2-135M-Instruct", "Hugging Face"),
        ("mistral", "Mistral-7B-Instruct-v0.3", "Mistral"),
    ],
)
def test_a_model_names_itself_as_its_makers_do(kind, name, marker):
    assert marker in family_of({"model_type": kind}).markers(name)


def test_every_family_has_names():
    assert all(one.markers("") for one in families().values())
    assert "Qwen" in default_names()


def test_no_module_spells_the_facts_of_a_family():
    """A further family is then one more entry. The article's command translates names of ms-swift itself."""
    package = Path(family.__file__).parents[2]
    facts = {one.key for one in families().values()} | {kind for one in families().values() for kind in one.model_types}
    facts |= {norm for one in families().values() for norm in one.norms} - {"granite"}
    spelled = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if "swift_compat" not in path.parts
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and node.value in facts
    }

    assert spelled == {"model/families/family.py"}  # the default model's, for the old identity
