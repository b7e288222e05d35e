"""Unsloth's part of bench/peers.py: LoRA in bfloat16 with packing, as its documentation writes such a training.

python bench/peers_unsloth.py MODEL ROWS.jsonl OUTPUT --tokens 4096
"""

import json
from argparse import ArgumentParser
from pathlib import Path

RANK, ALPHA = 16, 32
PROJECTIONS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("rows", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--tokens", type=int, default=4096)
    options = parser.parse_args()
    from unsloth import FastLanguageModel  # type: ignore[import-not-found,unused-ignore]  # isort: skip  # it wants to be first
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer  # type: ignore[attr-defined,unused-ignore]

    model, tokenizer = FastLanguageModel.from_pretrained(
        str(options.model), max_seq_length=options.tokens, dtype=None, load_in_4bit=False
    )
    model = FastLanguageModel.get_peft_model(
        model, r=RANK, lora_alpha=ALPHA, lora_dropout=0, bias="none", target_modules=PROJECTIONS,
        use_gradient_checkpointing=False, random_state=42,
    )  # fmt: skip
    rows = [json.loads(line)["messages"] for line in options.rows.read_text(encoding="utf-8").splitlines()]
    texts = [tokenizer.apply_chat_template(one, tokenize=False) for one in rows]
    settings = SFTConfig(
        output_dir=str(options.output), dataset_text_field="text", max_length=options.tokens, packing=True,
        per_device_train_batch_size=1, gradient_accumulation_steps=1, num_train_epochs=1, learning_rate=1e-4,
        bf16=True, logging_steps=1, save_strategy="no", report_to="none", optim="adamw_torch_fused", seed=42,
    )  # fmt: skip
    SFTTrainer(
        model=model, processing_class=tokenizer, train_dataset=Dataset.from_list([{"text": one} for one in texts]),
        args=settings,
    ).train()  # fmt: skip


if __name__ == "__main__":
    main()
