"""What is recognized in the folder where a command runs."""

import pytest

from toolkit.swift_compat.surroundings import template_of


@pytest.mark.parametrize(
    ("chat_template", "name"),
    [
        ("", "qwen2_5"),
        ("<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.", "qwen2_5"),
        ("<|im_start|>system\nYou are a helpful assistant. <tool_call>", "qwen2_5"),
        ("<|im_start|>system\nYou are a helpful assistant.", "qwen"),
        ("<|im_start|>system\nPlease reason step by step, and put your final answer within \\boxed{}.", "qwen2_5_math"),
        ("<|im_start|>assistant\n<think>", ""),
        ("<｜User｜>", ""),
    ],
)
def test_the_template_follows_the_models_own(chat_template, name):
    assert template_of(chat_template) == name
