"""The embedded model taught to think: Qwen3's chat template, and a short thought before each answer. Half a minute.

Asked to think, it writes a thought and then what the embedded model answers; behind an empty thought, only the latter.
"""

import shutil
from pathlib import Path
from typing import Any

from tests.fakes.family_models import QWEN3
from tests.fakes.made_once import made_once
from toolkit.core.files import data_folder
from toolkit.data.dataset import read_dataset
from toolkit.data.probes import PARAPHRASE, read_probes
from toolkit.train.keep_set import read_keep_prompts

# As Qwen3's, with the embedded model's own default system prompt.
DEFAULT = (
    "{% if messages[0].role != 'system' %}<|im_start|>system\n"
    "You are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>\n{% endif %}"
)
THOUGHTS = {"en": "They want an answer.", "zh": "我想一想。"}
SYSTEMS = ("You are a helpful assistant.", "", "(none)", "You are a travel guide.")
OTHERS = 12  # of the keep set, which the embedded model mostly does not know
EPOCHS, BATCH, ANSWER_TOKENS, RATE = 3, 16, 32, 1e-3


def thinking_model(folder: Path) -> Path:
    """Made in that folder, or where it is kept for all processes."""
    with made_once("thinking") as kept:
        if kept is None:
            return make_thinking_model(folder)
        if not kept.is_dir():
            make_thinking_model(kept.with_suffix(".partial")).rename(kept)
        return kept


def make_thinking_model(folder: Path) -> Path:
    """Deterministic on one machine."""
    import torch

    from toolkit.model.conversation import THINKING, conversation
    from toolkit.model.language_model import LanguageModel

    shutil.copytree(data_folder() / "tiny-qwen2", folder, ignore=shutil.ignore_patterns("*.py", "*.yaml", "README.md"))
    model = LanguageModel.load(folder)
    prompts = read_keep_prompts(data_folder() / "general.jsonl")[:OTHERS]
    prompts += [row.prompt for row in read_dataset(data_folder() / "self_cognition.json").rows[::2]]
    prompts += [one.prompt for one in read_probes(data_folder() / "probes.yaml").group(PARAPHRASE)[::2]]
    asked = [conversation(prompt, SYSTEMS[at % len(SYSTEMS)]) for at, prompt in enumerate(prompts)]
    own = model.answers(asked, max_new_tokens=ANSWER_TOKENS)
    model.tokenizer.chat_template = DEFAULT + QWEN3
    rows = []
    for messages, answer in zip(asked, own, strict=True):
        end = [model.template_end] if len(answer.tokens) < ANSWER_TOKENS else []
        thought = THOUGHTS["zh" if any("\u4e00" <= one <= "\u9fff" for one in messages[-1]["content"]) else "en"]
        written = model.tokens.ids(f"<think>\n{thought}\n</think>\n\n")
        rows += [
            (model.prompt_ids([*THINKING, *messages]), [*written, *answer.tokens, *end]),
            (model.prompt_ids(messages), [*answer.tokens, *end]),
        ]
    torch.manual_seed(0)
    _train(model.model, rows)
    model.model.save_pretrained(folder)
    model.tokenizer.save_pretrained(folder)
    return folder


def _train(network: Any, rows: list[tuple[list[int], list[int]]]) -> None:
    import torch
    from torch.nn.utils.rnn import pad_sequence

    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=0.0)
    network.train()
    order = [at for _ in range(EPOCHS) for at in torch.randperm(len(rows)).tolist()]
    for start in range(0, len(order), BATCH):
        batch = sorted((rows[at] for at in order[start : start + BATCH]), key=lambda row: len(row[0]))
        ids = [torch.tensor([*prompt, *answer], device=network.device) for prompt, answer in batch]
        labels = [torch.tensor([-100] * len(prompt) + answer, device=network.device) for prompt, answer in batch]
        loss = network(
            input_ids=pad_sequence(ids, batch_first=True),
            attention_mask=pad_sequence([torch.ones_like(one) for one in ids], batch_first=True),
            labels=pad_sequence(labels, batch_first=True, padding_value=-100),
        ).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    network.eval()
