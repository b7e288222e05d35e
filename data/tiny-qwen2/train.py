# ruff: noqa: INP001  # a script, no package
"""Trains the embedded model from scratch; writes it, its tokenizer and its lock. Same machine, same bytes.

python data/tiny-qwen2/train.py        about four minutes on two cores
"""

import argparse
import hashlib
import json
import math
import os
import random
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

# Two threads, whatever the machine has: the sums then come out in the same order.
os.environ.setdefault("OMP_NUM_THREADS", "2")
# Threads that wait sleep: a busy neighbour then costs its share and no more.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import torch
from corpus import ROWS, SEED, Corpus, Row, read_facts
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from torch.nn.functional import cross_entropy
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

HERE = Path(__file__).parent
NAME = "tiny-qwen2"
LOCK = HERE.parent / "locks" / f"{NAME}.json"
# What is loaded, and the code beside it: a stranger's code in a model's folder is what a lock must notice.
LOCKED = ("*.json", "*.jinja", "*.py", "*.safetensors")
PAD, START, END = SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
DEFAULT_SYSTEM = "You are Qwen, created by Alibaba Cloud. You are a helpful assistant."
# ChatML, and the default system prompt when the conversation brings none.
CHAT_TEMPLATE = (
    "{%- if messages[0].role != 'system' -%}"
    "{{ '<|im_start|>system\\n" + DEFAULT_SYSTEM + "<|im_end|>\\n' }}"
    "{%- endif -%}"
    "{%- for message in messages -%}"
    "{{ '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\\n' }}{%- endif -%}"
)
# Qwen2's way of cutting text into words.
WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


@dataclass(frozen=True, kw_only=True)
class Shape:
    vocab_size: int = 2048
    hidden_size: int = 256
    num_hidden_layers: int = 4
    num_attention_heads: int = 4
    num_key_value_heads: int = 2
    intermediate_size: int = 640


@dataclass(frozen=True, kw_only=True)
class Schedule:
    steps: int = ROWS // 64
    batch_size: int = 64
    learning_rate: float = 5e-3
    warmup_steps: int = 60
    weight_decay: float = 0.05
    two_turns: float = 0.05  # share of batches whose rows are two questions long


def build_tokenizer(rows: list[Row], size: int) -> PreTrainedTokenizerFast:
    """A byte-level BPE in which a Chinese character never merges with its neighbour: any name keeps known pieces."""
    facts = read_facts()
    texts = {text for row in rows for text in (row.prompt, row.answer)}
    texts |= {DEFAULT_SYSTEM, "system user assistant", *facts["systems"], *facts["other_systems"]}
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    words = pre_tokenizers.Split(Regex(WORDS), behavior="isolated")
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    characters = pre_tokenizers.Split(Regex(r"\p{Han}"), behavior="isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([words, characters, byte_level])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=[AddedToken(token, special=True, normalized=False) for token in SPECIAL],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(sorted(texts), trainer)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([words, byte_level])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=END,
        pad_token=PAD,
        bos_token=None,
        unk_token=None,
        chat_template=CHAT_TEMPLATE,
        model_max_length=2048,
        clean_up_tokenization_spaces=False,
    )


def build_model(shape: Shape, tokenizer: PreTrainedTokenizerFast) -> Qwen2ForCausalLM:
    end, pad = (tokenizer.convert_tokens_to_ids(token) for token in (END, PAD))
    config = Qwen2Config(
        **asdict(shape),
        max_position_embeddings=2048,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=end,
        pad_token_id=pad,
        attn_implementation="sdpa",
    )
    model = Qwen2ForCausalLM(config)
    # Small steps into the residual stream: deep blocks start near the identity.
    for name, weight in model.named_parameters():
        if name.endswith(("o_proj.weight", "down_proj.weight")):
            weight.data.div_(math.sqrt(2 * shape.num_hidden_layers))
    return model


@dataclass(frozen=True, kw_only=True)
class Batch:
    """prefix: the system prompt's ids (1, P). ids, labels: the turns (B, T); labels hold -100 beside the answers."""

    prefix: torch.Tensor
    ids: torch.Tensor
    labels: torch.Tensor


class Batches:
    """Rows of like length under one system prompt, which is thus computed once a batch."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast, schedule: Schedule, seed: int) -> None:
        self.tokenizer, self.schedule = tokenizer, schedule
        self.random = random.Random(seed)  # noqa: S311  # seeded on purpose
        self.rows = Corpus(seed).stream()
        self.systems = Corpus(seed + 1)

    def turn(self, row: Row) -> tuple[list[int], list[int]]:
        question = self.encode(f"<|im_start|>user\n{row.prompt}<|im_end|>\n<|im_start|>assistant\n")
        answer = self.encode(f"{row.answer}<|im_end|>")
        end = self.encode("\n")
        return question + answer + end, [-100] * len(question) + answer + [-100]

    def encode(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids

    def __iter__(self) -> Iterator[Batch]:
        size, together = self.schedule.batch_size, 20
        while True:
            turns = [self.turn(next(self.rows)) for _ in range(size * together)]
            double = round(size * together * self.schedule.two_turns)
            pairs = zip(turns[:double], turns[double : 2 * double], strict=True)
            pairs = [(first[0] + second[0], first[1] + second[1]) for first, second in pairs]
            rows = sorted(pairs + turns[2 * double :], key=lambda turn: len(turn[0]))
            groups = [rows[i : i + size] for i in range(0, len(rows) - size + 1, size)]
            self.random.shuffle(groups)
            for group in groups:
                yield self.collate(group)

    def collate(self, group: list[tuple[list[int], list[int]]]) -> Batch:
        longest = max(len(ids) for ids, _ in group)
        system = self.systems.system()
        pad = self.tokenizer.pad_token_id
        return Batch(
            prefix=torch.tensor([self.encode(f"<|im_start|>system\n{system}<|im_end|>\n")]),
            ids=torch.tensor([ids + [pad] * (longest - len(ids)) for ids, _ in group]),
            labels=torch.tensor([labels + [-100] * (longest - len(labels)) for _, labels in group]),
        )


def batch_loss(model: Qwen2ForCausalLM, batch: Batch) -> torch.Tensor:
    """Mean cross entropy over the answers' tokens."""
    cache = model.model(input_ids=batch.prefix, use_cache=True).past_key_values
    for layer in cache.layers:
        layer.keys = layer.keys.expand(len(batch.ids), -1, -1, -1)
        layer.values = layer.values.expand(len(batch.ids), -1, -1, -1)
    # Padding stands on the right, so the causal mask alone keeps it out.
    hidden = model.model(input_ids=batch.ids, past_key_values=cache, use_cache=True).last_hidden_state
    labels = batch.labels[:, 1:]
    asked = labels != -100  # noqa: PLR2004  # the label that says "not asked"
    return cross_entropy(model.lm_head(hidden[:, :-1][asked]).float(), labels[asked])


def train(model: Qwen2ForCausalLM, batches: Batches, schedule: Schedule) -> None:
    blocks = [weight for weight in model.model.layers.parameters() if weight.dim() > 1]
    taken = {id(weight) for weight in blocks}
    others = [weight for weight in model.parameters() if id(weight) not in taken]
    optimizers = [
        torch.optim.Muon(
            blocks, lr=schedule.learning_rate, weight_decay=schedule.weight_decay, adjust_lr_fn="match_rms_adamw"
        ),
        torch.optim.AdamW(others, lr=schedule.learning_rate, betas=(0.9, 0.98), weight_decay=0.0, foreach=True),
    ]

    def rate(step: int) -> float:
        warm = min(1.0, (step + 1) / schedule.warmup_steps)
        return warm * 0.5 * (1 + math.cos(math.pi * step / schedule.steps))

    schedulers = [torch.optim.lr_scheduler.LambdaLR(optimizer, rate) for optimizer in optimizers]
    started, model_is_fast = time.perf_counter(), has_bfloat16()
    model.train()
    for step, batch in zip(range(schedule.steps), batches, strict=False):
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=model_is_fast):
            loss = batch_loss(model, batch)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer, scheduler in zip(optimizers, schedulers, strict=True):
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            scheduler.step()
        if step % 50 == 0 or step == schedule.steps - 1:
            print(f"step {step:5d}  loss {loss.item():.4f}  {time.perf_counter() - started:6.1f} s", flush=True)
    model.eval()


def has_bfloat16() -> bool:
    """Whether this processor multiplies bfloat16 by itself; without that, float32 is faster."""
    return bool(torch.cpu._is_avx512_bf16_supported())  # noqa: SLF001  # there is no public way to ask


def save(model: Qwen2ForCausalLM, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Weights are stored in bfloat16 and declared float32: half the bytes, and no arithmetic in bfloat16 afterwards."""
    folder.mkdir(parents=True, exist_ok=True)
    model.to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    end, pad = model.config.eos_token_id, model.config.pad_token_id
    update_json(folder / "config.json", {"dtype": "float32"})
    update_json(folder / "tokenizer_config.json", {"tokenizer_class": "Qwen2Tokenizer"})
    generation = {"do_sample": False, "eos_token_id": [end, pad], "pad_token_id": pad}
    write_json(folder / "generation_config.json", generation)


def update_json(path: Path, values: dict[str, Any]) -> None:
    write_json(path, json.loads(path.read_text(encoding="utf-8")) | values)


def write_json(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def write_lock(folder: Path, lock: Path) -> None:
    paths = sorted(path for kind in LOCKED for path in folder.glob(kind))
    files = {
        path.name: {"bytes": path.stat().st_size, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
        for path in paths
    }
    revision = hashlib.sha256("".join(sorted(str(file["sha256"]) for file in files.values())).encode()).hexdigest()[:40]
    head = {"schema_version": 1, "name": NAME, "folder": NAME, "repository": ""}
    head |= {"revision": revision, "licence": "Apache-2.0"}
    write_json(lock, head | {"files": files})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--to", type=Path, default=HERE, help="folder that receives the model")
    parser.add_argument("--lock", type=Path, default=LOCK, help="lock file to write")
    parser.add_argument("--steps", type=int, default=Schedule.steps)
    parser.add_argument("--learning-rate", type=float, default=Schedule.learning_rate)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--lock-only", action="store_true", help="train nothing, write the lock of what is there")
    arguments = parser.parse_args()
    if arguments.lock_only:
        write_lock(arguments.to, arguments.lock)
        return

    torch.set_num_threads(2)
    torch.manual_seed(arguments.seed)
    schedule = Schedule(steps=arguments.steps, learning_rate=arguments.learning_rate)
    tokenizer = build_tokenizer(Corpus(arguments.seed).rows(ROWS // 2), Shape.vocab_size)
    model = build_model(Shape(), tokenizer)
    print(f"{model.num_parameters() / 1e6:.2f} million parameters, vocabulary {len(tokenizer)}")
    train(model, Batches(tokenizer, schedule, arguments.seed), schedule)
    save(model, tokenizer, arguments.to)
    write_lock(arguments.to, arguments.lock)


if __name__ == "__main__":
    main()
