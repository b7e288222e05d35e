"""The plan of a step, against cases computed by hand and against what was measured on Qwen2.5-7B."""

from typing import Any

import pytest

from toolkit.plan import ACTIVATION_BYTES, LOGIT_BYTES, RESERVE_BYTES, Plan, lora_parameters, plan
from toolkit.recipe import Recipe, load_recipe

QWEN_7B = {
    "hidden_size": 3584, "intermediate_size": 18944, "num_attention_heads": 28, "num_hidden_layers": 28,
    "num_key_value_heads": 4, "vocab_size": 152064,
}  # fmt: skip
WEIGHT_BYTES = 15_231_233_024
CARD_24_GB = 25_300_000_000  # what such a card has free: 23.6 GiB
SMALL = {"hidden_size": 10, "num_hidden_layers": 2, "vocab_size": 5}
SMALL_ROW_BYTES = 3 * (2 * 10 * ACTIVATION_BYTES + 5 * LOGIT_BYTES)  # a row of 3 tokens


def recipe(**changed: Any) -> Recipe:
    return load_recipe("article").changed(**changed)


def small(memory_bytes: int | None, **changed: Any) -> Plan:
    return plan(
        recipe(batch_size=4, **changed), SMALL, longest_row_tokens=3, weight_bytes=1000, memory_bytes=memory_bytes
    )


def on_24_gb(longest_row_tokens: int, name: str = "article", **changed: Any) -> Plan:
    return plan(
        load_recipe(name).changed(**changed), QWEN_7B, longest_row_tokens=longest_row_tokens,
        mean_keep_tokens=100 if name == "keep" else 0, weight_bytes=WEIGHT_BYTES, memory_bytes=CARD_24_GB,
    )  # fmt: skip


def test_without_a_card_all_rows_go_at_once():
    chosen = small(None)

    assert (chosen.micro_batch_size, chosen.accumulation_steps, chosen.gradient_checkpointing) == (4, 1, False)
    assert chosen.reason == "no card: memory is not the limit"


def test_what_just_fits_is_taken():
    chosen = small(1000 + RESERVE_BYTES + 4 * SMALL_ROW_BYTES)

    assert (chosen.micro_batch_size, chosen.gradient_checkpointing) == (4, False)


def test_a_byte_less_takes_another_cut_with_the_same_batch():
    chosen = small(1000 + RESERVE_BYTES + 4 * SMALL_ROW_BYTES - 1)

    assert (chosen.micro_batch_size, chosen.gradient_checkpointing) != (4, False)
    assert chosen.micro_batch_size * chosen.accumulation_steps == 4


def test_rows_are_halved_where_checkpointing_is_switched_off():
    memory = 1000 + RESERVE_BYTES + 4 * SMALL_ROW_BYTES - 1

    assert small(memory, gradient_checkpointing=False).micro_batch_size == 2


def test_a_fixed_micro_batch_stays():
    memory = 1000 + RESERVE_BYTES + SMALL_ROW_BYTES

    assert small(memory, micro_batch_size=2).micro_batch_size == 2
    assert small(memory, micro_batch_size=2).accumulation_steps == 2
    assert small(None, micro_batch_size=1).micro_batch_size == 1


def test_fixed_checkpointing_stays():
    assert small(None, gradient_checkpointing=True).gradient_checkpointing
    assert not small(RESERVE_BYTES, gradient_checkpointing=False).gradient_checkpointing


@pytest.mark.parametrize("memory_bytes", [0, 1000, 1000 + RESERVE_BYTES])
def test_where_nothing_fits_the_least_is_tried_and_said(memory_bytes: int):
    chosen = small(memory_bytes)

    assert (chosen.micro_batch_size, chosen.accumulation_steps, chosen.gradient_checkpointing) == (1, 4, True)
    assert "may not fit" in chosen.reason
    assert "--max-length" in chosen.reason


@pytest.mark.parametrize("batch_size", [1, 7, 12, 16])
def test_the_effective_batch_is_never_changed(batch_size: int):
    for memory_bytes in range(RESERVE_BYTES, RESERVE_BYTES + 40 * SMALL_ROW_BYTES, SMALL_ROW_BYTES // 2):
        chosen = plan(
            recipe(batch_size=batch_size), SMALL, longest_row_tokens=3, weight_bytes=0, memory_bytes=memory_bytes
        )
        assert chosen.micro_batch_size * chosen.accumulation_steps == batch_size


def test_the_7b_model_trains_short_rows_on_24_gb_8_at_once():
    assert on_24_gb(45, gradient_checkpointing=False).micro_batch_size == 8


def test_what_was_too_much_for_24_gb_is_not_chosen():
    chosen = on_24_gb(45)  # 16 rows without checkpointing reserved 24.3 GiB

    assert (chosen.micro_batch_size, chosen.gradient_checkpointing) != (16, False)
    assert chosen.reason.endswith("GiB free beside the weights")


@pytest.mark.parametrize("name", ["article", "keep"])
def test_the_7b_model_trains_long_rows_on_24_gb_with_checkpointing(name: str):
    chosen = on_24_gb(2048, name)

    assert chosen.gradient_checkpointing
    assert "may not fit" not in chosen.reason


def test_keep_rows_take_their_share_of_the_memory():
    few, many = on_24_gb(512, "keep", keep_rows=1), on_24_gb(512, "keep", keep_rows=256)

    assert many.micro_batch_size < few.micro_batch_size


# Reserved on one H100 for 16 rows of up to 55 tokens and the keep rows (bench/results/train-time-7b-h100.json).
MEASURED = [  # layers, keep rows, tokens of an answer, GiB without a cap, GiB under a cap of 23
    ("all", 64, 64, None, 18.9),
    ("all", 64, 24, 46.9, 17.3),
    ("all", 48, 32, 43.9, None),
    ("middle", 48, 32, 34.6, None),
    ("middle", 64, 32, 39.0, 17.4),
]


def planned(memory_gib: float, **changed: Any) -> Plan:
    chosen = load_recipe("keep").changed(**changed)
    return plan(
        chosen, QWEN_7B, longest_row_tokens=55, mean_keep_tokens=42 + chosen.keep_max_new_tokens,
        weight_bytes=WEIGHT_BYTES, memory_bytes=int(memory_gib * 2**30),
    )  # fmt: skip


@pytest.mark.parametrize(("layers", "rows", "tokens", "free", "capped"), MEASURED)
def test_no_step_is_planned_into_less_memory_than_it_was_seen_to_need(
    layers: str, rows: int, tokens: int, free: float | None, capped: float | None
):
    recipe = {"lora_layers": layers, "keep_rows": rows, "keep_max_new_tokens": tokens}

    if free is not None:
        assert planned(free, **recipe).gradient_checkpointing
    if capped is not None:
        assert planned(capped, **recipe).micro_batch_size < 16


def test_the_default_recipe_is_planned_as_it_was_measured():
    assert (planned(23).micro_batch_size, planned(23).gradient_checkpointing) == (16, True)
    assert (planned(78).micro_batch_size, planned(78).gradient_checkpointing) == (16, False)


def test_below_the_lowest_adapter_nothing_is_kept_for_a_backward_pass():
    assert planned(62, lora_layers="all", keep_rows=64).gradient_checkpointing
    assert not planned(62, lora_layers="middle", keep_rows=64).gradient_checkpointing


def test_an_80_gb_card_needs_no_checkpointing_for_short_rows():
    chosen = plan(
        recipe(), QWEN_7B, longest_row_tokens=100, weight_bytes=WEIGHT_BYTES, memory_bytes=84_000_000_000
    )  # fmt: skip

    assert (chosen.micro_batch_size, chosen.gradient_checkpointing) == (16, False)


def test_the_adapters_parameters():
    widths = 2 * (3584 + 3584) + 2 * (3584 + 512) + 3 * (3584 + 18944)

    assert lora_parameters(QWEN_7B, 8) == 28 * 8 * widths == 20_185_088
    assert lora_parameters(QWEN_7B, 16) == 2 * 20_185_088
