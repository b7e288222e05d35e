"""Tries variants of the keep recipe in one process, in a plain training loop, on questions that are no probes.

    python bench/explore.py MODEL OUT.json 'lr=2e-4,epochs=40' 'lr=3e-4,layers=(6,18)' --full

Faster than bench/recipes.py by what loading and ms-swift cost, so more can be tried; what is chosen is measured there.
It judges by bench/validation.yaml. `--full` also tells the drift at every token, and that of the probes.
"""

import json
import math
import random
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from arguments import arguments
from recipes import SYSTEMS
from torch.nn import functional

from toolkit.core.files import data_folder
from toolkit.core.startup import prepare_environment
from toolkit.core.text import contains_any, normalized
from toolkit.data.dataset import prompt_key, read_dataset
from toolkit.data.probes import OUT_OF_SCOPE, PARAPHRASE, read_probes
from toolkit.model.conversation import conversation
from toolkit.model.language_model import Answer, LanguageModel
from toolkit.train.keep_set import draw_rows, read_keep_prompts

prepare_environment()
from toolkit.model.divergence import kl_divergence, measure_drift  # noqa: E402
from toolkit.train.passes import packing  # noqa: E402
from toolkit.train.passes.kernels import in_chunks  # noqa: E402
from toolkit.train.passes.packing import LINE_TOKENS, frame_for, pack, visibility_mask  # noqa: E402

HERE, SYSTEM = Path(__file__).parent, SYSTEMS[0]
ALL_LINEAR = "q_proj|k_proj|v_proj|o_proj|gate_proj|up_proj|down_proj"
END = "<|im_end|>"
ROW_SYSTEMS = (SYSTEM, "", "(none)", "你是一个乐于助人的助手。", "You are a patient teacher.", "请简短地回答。")
UNSEEN = ("You are a travel guide.", "你是一位严谨的历史老师。")
ASKED = SYSTEMS + UNSEEN
CARRIERS = {
    True: ("{}", "嗨！{}", "{}请直接回答。", "顺便问一下，{}", "想知道，{}"),
    False: ("{}", "Hey, {}", "{} Please answer directly.", "By the way, {}", "Tell me, {}"),
}
Sequences = list[tuple[torch.Tensor, int]]  # token ids, and the position that predicts the answer's first


@dataclass(frozen=True, kw_only=True)
class Variant:
    """`pool`: G the shipped keep prompts, M prompts that the base model itself makes up, GM both."""

    lr: float = 3e-4
    epochs: int = 20
    weight: float = 30
    rows: int = 64
    tokens: int = 64
    pool: str = "G"
    rank: int = 8
    alpha: int = 32
    targets: str = ALL_LINEAR
    layers: tuple[int, int] | None = None  # from, and before
    enough: float = 1  # a trained token more probable than this is left alone
    rowmean: float = 0  # 0: every token counts the same; 1: every keep row does
    bs: int = 16
    wd: float = 0.1
    beta2: float = 0.95
    clip: float = 1
    ema: float = 0  # the weights' mean over this last share of the steps, measured beside the last step's
    scales: tuple[float, ...] = ()  # the finished adapter, scaled
    systems: int = 1  # each row under so many of ROW_SYSTEMS, once an epoch
    keepsystems: int = 1  # keep prompts take so many of them in turn
    worded: int = 0  # each row within so many of CARRIERS beside as it is, in turn
    seed: int = 42


class World:
    """The base model, what is trained, what is kept and what is asked."""

    def __init__(self, folder: Path, own_prompts: int, keep_systems: Sequence[int] = ()) -> None:
        self.base = LanguageModel.load(folder)
        self.model, self.tokenizer = self.base.model, self.base.tokenizer
        self.model.requires_grad_(False)
        self.rows = read_dataset(data_folder() / "self_cognition.json").rows
        self.sets = {"val": read_probes(HERE / "validation.yaml"), "probes": read_probes(data_folder() / "probes.yaml")}
        general = read_keep_prompts(data_folder() / "general.jsonl")
        self.pools = {"G": self._answered(general)}
        self.general = {1: self.pools["G"]}
        for count in keep_systems:
            self.general[count] = self._answered(general, count)
        if own_prompts:
            self.pools["M"] = self._answered(self._own_prompts(own_prompts))
            self.pools["GM"] = self.pools["G"] + self.pools["M"]
        self.outside = {name: probes.group(OUT_OF_SCOPE) for name, probes in self.sets.items()}
        self.before = {
            name: self._answers([conversation(probe.prompt, SYSTEM) for probe in probes])
            for name, probes in self.outside.items()
        }

    def _ids(self, text: str) -> list[int]:
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def train(self, variant: Variant) -> Sequences:
        end, found = self.tokenizer.convert_tokens_to_ids(END), []
        for number, system in enumerate(ROW_SYSTEMS[: variant.systems]):
            for at, row in enumerate(self.rows):
                carriers = CARRIERS[any("\u4e00" <= one <= "\u9fff" for one in row.prompt)][: 1 + variant.worded]
                prompt = carriers[(number + at) % len(carriers)].format(row.prompt)
                found.append(self._sequence(prompt, [*self._ids(row.answer), end], system))
        return found

    def _sequence(self, prompt: str, answer: Sequence[int], system: str = SYSTEM) -> tuple[torch.Tensor, int]:
        ids = self.base.prompt_ids(conversation(prompt, system))
        return torch.tensor(ids + list(answer)), len(ids) - 1

    def _answered(self, prompts: Sequence[str], systems: int = 1) -> Sequences:
        asked = [(prompt, ROW_SYSTEMS[at % systems]) for at, prompt in enumerate(prompts)]
        found = self._answers([conversation(*one) for one in asked])
        return [
            self._sequence(prompt, one.tokens, system)
            for (prompt, system), one in zip(asked, found, strict=True)
            if one.tokens
        ]

    def _answers(self, asked: list[list[dict[str, str]]]) -> list[Answer]:
        return self.base.answers(asked, max_new_tokens=64, batch_size=256)

    def _own_prompts(self, count: int) -> list[str]:
        """What the base model says in the user's place (Magpie, Xu et al. 2024), without what is known or trained."""
        from transformers import GenerationConfig

        mark = "\u241f"
        text = self.tokenizer.apply_chat_template(conversation(mark, SYSTEM), tokenize=False)
        start = torch.tensor([self._ids(text[: text.index(mark)])] * 256, device=self.model.device)
        how = GenerationConfig(do_sample=True, top_p=0.95, top_k=0, max_new_tokens=48, pad_token_id=0)
        known = {prompt_key(probe.prompt) for probes in self.sets.values() for probe in probes.probes}
        trained = [_pieces(row.prompt) for row in self.rows]
        found: dict[str, str] = {}
        torch.manual_seed(1)
        for _ in range(-(-count // 256)):
            with torch.inference_mode():
                output = self.model.generate(
                    input_ids=start, attention_mask=torch.ones_like(start), generation_config=how
                )  # fmt: skip
            for text in self.tokenizer.batch_decode(output[:, start.shape[1] :]):
                prompt, ended, _ = text.partition(END)
                pieces = _pieces(prompt)
                near = max(len(pieces & one) / min(len(pieces), len(one)) for one in trained)
                if ended and prompt_key(prompt) not in {"", *known} and "<|" not in prompt and near <= 0.7:
                    found.setdefault(prompt_key(prompt), prompt.strip())
        return list(found.values())


def _pieces(text: str) -> set[str]:
    folded = normalized(text)
    return {folded[at : at + 3] for at in range(max(1, len(folded) - 2))}


def lay_out(sequences: Sequence[torch.Tensor], device: torch.device) -> tuple[dict[str, Any], tuple[int, ...]]:
    """What a decoder takes for sequences laid end to end, and where each begins."""
    alone = packing.Sequences(ids=sequences, prefixes=[None] * len(sequences), prefix_tokens=[])
    packed = pack(alone, 0, frame_for([alone], LINE_TOKENS[device.type]))
    assert packed is not None
    owner, prefix = packed.owner.to(device), packed.prefix.to(device)
    return {
        "input_ids": packed.ids.to(device), "position_ids": packed.positions.to(device),
        "attention_mask": visibility_mask(owner, prefix), "use_cache": False,
    }, packed.starts  # fmt: skip


def hidden_at(decoder: Any, sequences: Sequences, batch: int = 64) -> list[torch.Tensor]:
    """Last hidden states where the answers and their ends are predicted."""
    found: list[torch.Tensor] = []
    for begin in range(0, len(sequences), batch):
        part = sequences[begin : begin + batch]
        inputs, starts = lay_out([ids for ids, _ in part], decoder.device)
        with torch.no_grad():
            seen = decoder(**inputs).last_hidden_state.flatten(0, 1)
        found += [seen[at + first : at + len(ids)].clone() for at, (ids, first) in zip(starts, part, strict=True)]
    return found


class Trial:
    """One variant, trained and measured; the world's model is left as it was."""

    def __init__(self, world: World, variant: Variant, *, full: bool) -> None:
        from peft import LoraConfig, get_peft_model

        self.world, self.variant, self.full = world, variant, full
        pool = world.general[variant.keepsystems] if variant.pool == "G" else world.pools[variant.pool]
        pool = pool if variant.weight else []
        self.rows = world.train(variant)
        self.keep = [(ids[: first + 1 + variant.tokens], first) for ids, first in pool]
        self.kept = hidden_at(world.model.model, self.keep)
        torch.manual_seed(variant.seed)
        self.tuned = get_peft_model(
            world.model,
            LoraConfig(
                r=variant.rank, lora_alpha=variant.alpha, target_modules=variant.targets.split("|"),
                layers_to_transform=list(range(*variant.layers)) if variant.layers else None,
            ),
        )  # fmt: skip
        self.weights = {name: one for name, one in self.tuned.named_parameters() if one.requires_grad}

    def run(self) -> dict[str, Any]:
        started = time.perf_counter()
        log, mean = self._train()
        told: dict[str, Any] = {"spec": asdict(self.variant), "log": log, "train_s": time.perf_counter() - started}
        self.tuned.eval()
        told["end"] = self._measure()
        last = {name: one.detach().clone() for name, one in self.weights.items()}
        if mean:
            self._put(mean)
            told["ema"] = self._measure()
        for scale in self.variant.scales:
            self._put({name: one * (scale if "lora_B" in name else 1) for name, one in last.items()})
            told[f"x{scale}"] = self._measure()
        self.world.model = self.world.base.model = self.tuned.unload()
        return told

    def _put(self, values: dict[str, torch.Tensor]) -> None:
        with torch.no_grad():
            for name, one in self.weights.items():
                one.copy_(values[name])

    def _train(self) -> tuple[list[dict[str, float]], dict[str, torch.Tensor]]:
        """AdamW, a warm-up of 5 % and a cosine, as ms-swift does; returns the log and the mean of the last weights."""
        variant, rows = self.variant, self.rows
        optimizer = torch.optim.AdamW(
            self.weights.values(), lr=variant.lr, betas=(0.9, variant.beta2), weight_decay=variant.wd
        )
        steps = -(-len(rows) // variant.bs) * variant.epochs
        warm, order = max(1, math.ceil(steps * 0.05)), random.Random(variant.seed)  # noqa: S311
        log: list[dict[str, float]] = []
        mean: dict[str, torch.Tensor] = {}
        counted = step = 0
        self.tuned.train()
        for _ in range(variant.epochs):
            shuffled = order.sample(range(len(rows)), len(rows))
            for begin in range(0, len(rows), variant.bs):
                falling = 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))
                for group in optimizer.param_groups:
                    group["lr"] = variant.lr * ((step + 1) / warm if step < warm else falling)
                entropy, drift = self._loss(shuffled[begin : begin + variant.bs], step)
                torch.autograd.backward(entropy + variant.weight * drift)
                torch.nn.utils.clip_grad_norm_(self.weights.values(), variant.clip)
                optimizer.step()
                optimizer.zero_grad()
                step += 1
                log.append({"step": step, "cross_entropy": entropy.item(), "kl": drift.item()})
                if variant.ema and step >= steps * (1 - variant.ema):
                    counted += 1
                    for name, one in self.weights.items():
                        mean.setdefault(name, one.detach().clone()).lerp_(one.detach(), 1 / counted)
        return log, mean

    def _loss(self, batch: Sequence[int], step: int) -> tuple[torch.Tensor, torch.Tensor]:
        own = [self.rows[at] for at in batch]
        drawn = draw_rows(len(self.keep), step, self.variant.rows, self.variant.seed) if self.keep else []
        inputs, starts = lay_out([ids for ids, _ in own] + [self.keep[at][0] for at in drawn], self.tuned.device)
        head = self.tuned.get_base_model().lm_head
        with torch.autocast(self.tuned.device.type, torch.bfloat16, enabled=self.tuned.device.type == "cuda"):
            seen = self.tuned.get_base_model().model(**inputs).last_hidden_state.flatten(0, 1)
            places = zip(starts, own, strict=False)
            at = torch.cat([torch.arange(begin + first, begin + len(ids) - 1) for begin, (ids, first) in places])
            words = torch.cat([ids[first + 1 :] for ids, first in own]).to(seen.device)
            surprise = functional.cross_entropy(head(seen[at.to(seen.device)]).float(), words, reduction="none")
            if self.variant.enough < 1:
                surprise = surprise * (surprise.detach() > -math.log(self.variant.enough))
            entropy = surprise.sum() / len(words)
            if not drawn:
                return entropy, torch.zeros_like(entropy)
            places = zip(starts[len(own) :], (self.keep[one] for one in drawn), strict=True)
            at = torch.cat([torch.arange(begin + first, begin + len(ids)) for begin, (ids, first) in places])
            tuned, base = seen[at.to(seen.device)], [self.kept[one] for one in drawn]
            if not self.variant.rowmean:
                drift = in_chunks(lambda q, p: kl_divergence(head(p), head(q)).sum(), tuned, torch.cat(base))
                return entropy, drift / len(tuned)
            shares = torch.tensor([len(one) ** (1 - self.variant.rowmean) for one in base])
            parts = zip(tuned.split([len(one) for one in base]), base, shares / shares.sum(), strict=True)
            drift = sum(kl_divergence(head(p), head(q)).sum() * share / len(p) for q, p, share in parts)
        return entropy, drift

    def _measure(self) -> dict[str, Any]:
        tuned = LanguageModel(self.tuned, self.world.tokenizer, adapters=("default",))
        unseen = self.world.sets["val"].group(PARAPHRASE)
        asked = [conversation(row.prompt, SYSTEM) for row in self.world.rows]
        asked += [conversation(probe.prompt, system) for system in ASKED for probe in unseen]
        answers = iter(tuned.answers(asked, max_new_tokens=56, batch_size=256))
        exact = [next(answers).text == row.answer.strip() for row in self.world.rows]
        took = [[bool(probe.expect and probe.expect.met(next(answers).text)) for probe in unseen] for _ in ASKED]
        missed = [
            (system, probe.prompt) for system, one in zip(ASKED, took, strict=True)
            for probe, good in zip(unseen, one, strict=True) if not good
        ]  # fmt: skip
        told: dict[str, Any] = {
            "missed": missed,
            "exact": sum(exact) / len(exact),
            "gen": [sum(one) / len(one) for one in took],
        }
        for name in self.world.sets if self.full else ("val",):
            told[name] = self._moved(tuned, name)
        return told

    def _moved(self, tuned: LanguageModel, name: str) -> dict[str, Any]:
        """Leaks and drift on the questions out of scope, over the base model's own answers."""
        probes, before = self.world.outside[name], self.world.before[name]
        asked, markers = [conversation(probe.prompt, SYSTEM) for probe in probes], self.world.sets[name].new_markers
        after = tuned.answers(asked, max_new_tokens=56, batch_size=256)
        drifts = measure_drift(tuned, asked, before, before=None, after="default")
        tokens = sum(one.tokens for one in drifts)
        told: dict[str, Any] = {
            "leaks": [
                probe.prompt for probe, one in zip(probes, after, strict=True) if contains_any(one.text, markers)
            ],
            "kl": sum(one.kl_sum for one in drifts) / tokens,
            "agree": sum(one.agreeing for one in drifts) / tokens,
        }
        if self.full:
            told["per"] = {p.id: [one.kl_sum, one.agreeing, one.tokens] for p, one in zip(probes, drifts, strict=True)}
        return told


def variant_of(spec: str) -> Variant:
    """Python's own literals: `lr=2e-4,layers=(6,18),pool='GM'`."""
    return Variant(**eval(f"dict({spec})", {"__builtins__": {}, "dict": dict}))  # noqa: S307  # the caller's own words


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("variants", nargs="+")
    parser.add_argument("--full", action="store_true", help="the shipped probes too, and every question's drift")
    parser.add_argument("--own-prompts", type=int, default=0, help="samples of the base model's for the pools M and GM")
    options = parser.parse_args()
    variants = {spec: variant_of(spec) for spec in options.variants}
    keep_systems = sorted({one.keepsystems for one in variants.values()} - {1})
    world, results = World(options.model, options.own_prompts, keep_systems), []
    for spec, variant in variants.items():
        results.append(Trial(world, variant, full=options.full).run())
        options.out.write_text(json.dumps(results, ensure_ascii=False) + "\n", encoding="utf-8")
        end = results[-1]["end"]
        val = end["val"]
        print(
            f"{spec:50.50s} exact {end['exact']:.2f}  gen {' '.join(f'{one:.2f}' for one in end['gen'])}  "
            f"leaks {len(val['leaks'])}  kl {val['kl']:.4f}  agree {val['agree']:.3f}  "
            f"{results[-1]['train_s']:.0f} s", flush=True,
        )  # fmt: skip


if __name__ == "__main__":
    main()
