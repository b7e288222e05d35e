"""Sizes of a decoder against figures computed by hand."""

from toolkit.model.families.sizes import lora_parameters, weight_bytes_in_4bit, weight_bytes_loaded

QWEN_7B = {
    "hidden_size": 3584, "intermediate_size": 18944, "num_attention_heads": 28, "num_hidden_layers": 28,
    "num_key_value_heads": 4, "vocab_size": 152064, "dtype": "bfloat16", "model_type": "qwen2",
}  # fmt: skip


def test_the_adapters_parameters():
    widths = 2 * (3584 + 3584) + 2 * (3584 + 512) + 3 * (3584 + 18944)

    assert lora_parameters(QWEN_7B, 8) == 28 * 8 * widths == 20_185_088
    assert lora_parameters(QWEN_7B, 16) == 2 * 20_185_088


def test_linear_layers_take_4_127_bits_a_weight_and_the_rest_stays():
    linear = 28 * (2 * 3584 * 3584 + 2 * 3584 * 512 + 3 * 3584 * 18944)
    rest = 2 * 152064 * 3584 + 28 * (3584 + 2 * 512 + 2 * 3584) + 3584

    assert linear + rest == 7_615_616_512  # Qwen2.5-7B's parameters
    assert weight_bytes_in_4bit(QWEN_7B, "bfloat16") == int(linear * 4.126953125 / 8) + 2 * rest
    assert weight_bytes_in_4bit(QWEN_7B, "float32") - weight_bytes_in_4bit(QWEN_7B, "bfloat16") == 2 * rest


def test_tied_embeddings_count_once():
    both = weight_bytes_in_4bit(QWEN_7B, "bfloat16")

    assert both - weight_bytes_in_4bit(QWEN_7B | {"tie_word_embeddings": True}, "bfloat16") == 2 * 152064 * 3584


def test_files_grow_or_shrink_to_the_precision_that_is_loaded():
    assert weight_bytes_loaded({"dtype": "bfloat16"}, 100, "bfloat16") == 100
    assert weight_bytes_loaded({"torch_dtype": "bfloat16"}, 100, "float32") == 200
    assert weight_bytes_loaded({"dtype": "float32"}, 100, "bfloat16") == 50
    assert weight_bytes_loaded({}, 100, "bfloat16") == 100
