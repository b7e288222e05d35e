"""Which linear layers an adapter stands on."""

import re

from toolkit.core.startup import prepare_environment
from toolkit.train.recipe import load_recipe


def chosen(**changed: object) -> list[str]:
    prepare_environment()
    from toolkit.train.ms_swift.arguments import target_regex

    recipe = load_recipe("keep").changed(lora_layers="middle", **changed)
    names = [
        f"model.layers.{number}.{part}"
        for number in range(28)
        for part in ("self_attn.q_proj", "mlp.down_proj", "mlp.act_fn", "input_layernorm")
    ]
    return [name for name in [*names, "lm_head"] if re.fullmatch(str(target_regex(recipe, 28)), name)]


def test_the_middle_half_has_every_linear_layer_of_its_own():
    assert chosen() == [
        f"model.layers.{number}.{part}" for number in range(7, 21) for part in ("self_attn.q_proj", "mlp.down_proj")
    ]


def test_named_modules_are_kept_to():
    assert chosen(target_modules=("down_proj",)) == [f"model.layers.{number}.mlp.down_proj" for number in range(7, 21)]


def test_all_layers_need_no_expression():
    prepare_environment()
    from toolkit.train.ms_swift.arguments import target_regex

    assert target_regex(load_recipe("article"), 28) is None
