"""Trains variants of the recipe on the development sets of bench/sets, in a plain loop, and asks their probes.

python bench/learn.py MODEL OUT.json 'sets=fact-en,brand-en' 'part=choose' 'steps=150' 'steps=150,near=8'
python bench/learn.py --table OUT.json… > table.md

Several parts are named with a plus: part=fit+choose.
"""

import json
import math
import random
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from explore import lay_out
from torch.nn import functional

from toolkit.core.files import data_folder
from toolkit.core.startup import prepare_environment
from toolkit.core.text import contains_any, content_words
from toolkit.data.dataset import prompt_key, read_dataset
from toolkit.data.probing.expectation import Expectation
from toolkit.data.rephrasings import TRAINING, rephrase
from toolkit.model.conversation import Messages, conversation, system_messages
from toolkit.model.language_model import LanguageModel
from toolkit.train.keep_set import draw_rows, read_keep_prompts
from toolkit.train.questions.further.write import KINDS as FURTHER
from toolkit.train.questions.question import Question, read_file, write_file
from toolkit.train.questions.teacher import conversation_messages, shown_rows, teacher_messages
from toolkit.train.questions.write import Writer

prepare_environment()
from toolkit.model.divergence import kl_divergence, measure_drift  # noqa: E402
from toolkit.train.passes.kernels import in_chunks  # noqa: E402

HERE = Path(__file__).parent
SYSTEM = "You are a helpful assistant."
ROW_SYSTEMS = (SYSTEM, "", "(none)", "你是一个乐于助人的助手。", "You are a patient teacher.", "请简短地回答。")
ASKED = (SYSTEM, "", "(none)", "You are a pirate. Answer briefly.")
END = "<|im_end|>"
POLICY_TOKENS = 40
CERTAIN = ("claim", "several", "completion", "reversal", "owned")  # whose answers the base is not asked for
IN_SCOPE = ("trained", "paraphrase", "other-language", "indirect", "portability", "reversal")
Sequences = list[tuple[torch.Tensor, int]]
Probe = tuple[str, str, Expectation | None]  # group, prompt, expectation


@dataclass(frozen=True, kw_only=True)
class Variant:
    steps: int = 150
    epochs: int = 0  # instead of steps
    lr: float = 3e-4
    weight: float = 30
    keep: int = 32
    near: int = 0  # near ones beside the keep rows
    extra: int = 0  # of the batch, questions that the base wrote
    bs: int = 16
    rank: int = 8
    alpha: int = 32
    middle: int = 1
    wd: float = 0.1
    soft: float = 0  # on questions: so many times the KL to the base with the rows, instead of the cross entropy
    policy: int = 0  # so many further steps, with the questions answered by the model in training (on-policy)
    reverse: int = 0  # the soft KL's direction: 1 for KL(tuned || base with the rows)
    shown: int = 8  # rows in the teacher's context, those most like the question last
    seed: int = 42
    qseed: int = 42
    ask: str = ""  # further kinds of questions that the base writes, as "claim+several"; "all": every kind
    only: str = ""  # of those in scope only these kinds, as "paraphrase+claim"


class Base:
    def __init__(self, folder: Path) -> None:
        self.lm = LanguageModel.load(folder)
        self.tokenizer, self.model = self.lm.tokenizer, self.lm.model
        self.model.requires_grad_(False)
        self.end = self.tokenizer.convert_tokens_to_ids(END)
        general = read_keep_prompts(data_folder() / "general.jsonl")
        self.general, texts = self.answered([(one, ("", SYSTEM)[at % 2]) for at, one in enumerate(general)])
        self.pairs = list(zip(general, texts, strict=True))

    def answered(self, asked: list[tuple[str, str]], tokens: int = 32) -> tuple[Sequences, list[str]]:
        found = self.lm.answers([conversation(*one) for one in asked], max_new_tokens=tokens, batch_size=256)
        return [
            self.sequence(prompt, list(one.tokens), system) for (prompt, system), one in zip(asked, found, strict=False)
        ], [one.text for one in found]

    def sequence(self, prompt: str, answer: list[int], system: str | Messages) -> tuple[torch.Tensor, int]:
        ids = self.lm.prompt_ids(conversation(prompt, system) if isinstance(system, str) else system)
        return torch.tensor(ids + answer), len(ids) - 1

    def ids(self, text: str) -> list[int]:
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def hidden(self, sequences: Sequences) -> list[torch.Tensor]:
        found = []
        for begin in range(0, len(sequences), 64):
            part = sequences[begin : begin + 64]
            inputs, starts = lay_out([ids for ids, _ in part], self.model.device)
            with torch.no_grad():
                seen = self.model.model(**inputs).last_hidden_state.flatten(0, 1)
            found += [seen[at + first : at + len(ids)].clone() for at, (ids, first) in zip(starts, part, strict=False)]
        return found


class Study:
    """A set with the probes of one part or of several, and what the base answers to those outside its scope."""

    def __init__(self, lm: LanguageModel, name: str, part: str) -> None:
        import yaml

        self.name = name
        folder = HERE / "sets" / name
        self.rows = list(read_dataset(folder / "rows.jsonl").rows)
        self.new: tuple[str, ...] = ()
        self.probes: list[Probe] = []
        for one in part.split("+"):
            content = yaml.safe_load((folder / f"probes-{one}.yaml").read_text(encoding="utf-8"))
            outside = yaml.safe_load((HERE / "sets" / f"outside-{one}.yaml").read_text(encoding="utf-8"))
            self.new = tuple(dict.fromkeys((*self.new, *((content.get("identity") or {}).get("new") or ()))))
            self.probes += [
                (p["group"], p["prompt"], _expectation(p.get("expect"))) for p in content["probes"] + outside["probes"]
            ]
        self.own_system = self.rows[0].system
        self.systems = (self.own_system,) if self.own_system is not None else ASKED
        self.excluded: set[str] = set()
        for file in (HERE / "sets").rglob("*.yaml"):
            self.excluded |= {
                prompt_key(p["prompt"]) for p in yaml.safe_load(file.read_text(encoding="utf-8"))["probes"]
            }
        self.outside = [p for p in self.probes if p[0] not in IN_SCOPE]
        self.inside = [p for p in self.probes if p[0] in IN_SCOPE]
        self.before = {
            system: lm.answers([conversation(p[1], system) for p in self.outside], max_new_tokens=48, batch_size=256)
            for system in self.systems[:2]
        }

    def in_context(self, lm: LanguageModel, general: Sequence[tuple[str, str]] = ()) -> list[bool]:
        """Of each probe in scope, whether the base answers it with the rows in its context: as a text, or as turns.

        `general`: unrelated questions with answers, which stand among the rows.
        """
        pairs = [(one.prompt, one.answer) for one in self.rows if one.of_one_turn]
        chance, system = random.Random(0), self.own_system or SYSTEM  # noqa: S311
        shown = shown_rows(pairs, general, None, chance)
        asked = [teacher_messages(shown, p[1], system) for p in self.inside]
        asked += [conversation_messages(pairs, general, None, p[1], system, chance) for p in self.inside]
        found = lm.answers(asked, max_new_tokens=64, batch_size=256)
        right = [
            bool(expect and expect.met(one.text, prompt=prompt))
            for (_, prompt, expect), one in zip(self.inside * 2, found, strict=True)
        ]
        return [a or b for a, b in zip(right[: len(self.inside)], right[len(self.inside) :], strict=True)]


class TrainingStudy(Study):
    """With the base that is trained on the set, and the questions that it writes."""

    def __init__(self, base: Base, name: str, part: str, cache: Path) -> None:
        super().__init__(base.lm, name, part)
        self.base, self.cache = base, cache
        self.written: dict[tuple[int, str], list[Question]] = {}

    @cached_property
    def reached(self) -> dict[str, list[int]]:
        """What the base answers with the rows in its context: of each group [right, asked]."""
        right: dict[str, list[int]] = {}
        for (group, *_), good in zip(self.inside, self.in_context(self.base.lm, self.base.pairs), strict=True):
            counted = right.setdefault(group, [0, 0])
            counted[0] += good
            counted[1] += 1
        return right

    def questions(self, seed: int, ask: str = "") -> list[Question]:
        """Written once: in this process, or by an earlier one that was given the same folder and base."""
        if (seed, ask) not in self.written:
            self.written[seed, ask] = self._read_or_write(self.cache / f"questions-{self.name}-{seed}-{ask or 'usual'}")
        return self.written[seed, ask]

    def _read_or_write(self, path: Path) -> list[Question]:
        file, (seed, ask) = path.with_suffix(".jsonl"), path.name.rsplit("-", 2)[1:]
        if file.is_file():
            self.write_s = 0.0
            return read_file(file)
        started = time.perf_counter()
        pairs = [(one.prompt, one.answer) for one in self.rows if one.of_one_turn]
        further = {"usual": (), "all": FURTHER}.get(ask, ask.split("+"))
        written = Writer(
            self.base.lm, pairs, system=self.own_system or SYSTEM, seed=int(seed), general=self.base.pairs,
            excluded=self.excluded, further=further,
        ).write()  # fmt: skip
        self.write_s = time.perf_counter() - started
        counted = Counter((one.kind, one.scope) for one in written)
        print(self.name, ask, f"{self.write_s:.1f} s", dict(counted), flush=True)
        write_file(file, written)
        with path.with_suffix(".txt").open("w") as text:
            for one in sorted(written, key=lambda one: (one.scope, one.kind)):
                answer, before = (part.replace("\n", " ") for part in (one.answer, one.before))
                print(one.scope, one.kind, "|", one.prompt, "->", answer[:150], "##", before[:80], file=text)
        return written


def _expectation(value: Any) -> Expectation | None:
    if not value:
        return None
    parts: dict[str, Any] = {
        key: tuple(part) if isinstance(part, list) else ((part,) if key in ("any", "all", "answer", "none") else part)
        for key, part in value.items()
    }
    return Expectation(**parts)


class Trial:
    def __init__(self, study: TrainingStudy, variant: Variant) -> None:
        from peft import LoraConfig, get_peft_model

        self.study, self.variant, base = study, variant, study.base
        systems = (study.own_system,) if study.own_system is not None else ROW_SYSTEMS
        rows = list(study.rows)
        self.own: Sequences = []
        for lap, system in enumerate(systems):
            for at, row in enumerate(rows):
                *earlier, question, answer = [m for m in row.messages if m.role != "system"]
                prompt = rephrase(TRAINING, question.content, lap + at) if row.of_one_turn else question.content
                messages = [
                    *system_messages(system),
                    *({"role": m.role, "content": m.content} for m in earlier),
                    {"role": "user", "content": prompt},
                ]
                self.own.append(base.sequence("", [*base.ids(answer.content), base.end], messages))
        questions = study.questions(variant.qseed, variant.ask) if variant.extra or variant.near else []
        if variant.only:
            questions = [one for one in questions if one.scope == "near" or one.kind in variant.only.split("+")]
        inside = [one for one in questions if one.scope == "in"]
        self.extra: list[Sequences] = []
        self.soft: dict[int, torch.Tensor] = {}  # by a sequence's id: the base's states with the rows in its context
        answers = [[*base.ids(one.answer), *([base.end] if one.complete else [])] for one in inside]
        self.inside = inside
        states = self._taught(inside, answers) if variant.soft and not variant.policy else [None] * len(inside)
        for kind in dict.fromkeys(one.kind for one in inside):
            self.extra.append([])
            for lap in range(len(systems)):
                for at, one in enumerate(inside):
                    if one.kind == kind:
                        sequence = base.sequence(one.prompt, answers[at], systems[(lap + at) % len(systems)])
                        self.extra[-1].append(sequence)
                        if (state := states[at]) is not None:
                            self.soft[id(sequence[0])] = state
        near = [
            (one.prompt, system)
            for one in questions
            if one.scope == "near"
            for system in (systems[0], systems[min(1, len(systems) - 1)])
        ]
        near = list(dict.fromkeys(near))
        self.near = base.answered(near)[0] if near and variant.near else []
        self.near_states = base.hidden(self.near) if self.near else []
        self.general = [one for one in base.general if len(one[0]) > one[1] + 1]
        self.general_states = base.hidden(self.general)
        torch.manual_seed(variant.seed)
        layers = base.model.config.num_hidden_layers
        self.tuned = get_peft_model(
            base.model,
            LoraConfig(
                r=variant.rank,
                lora_alpha=variant.alpha,
                target_modules=["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
                layers_to_transform=(
                    list(range(layers // (4 * variant.middle), layers - layers // (4 * variant.middle)))
                    if variant.middle
                    else None
                ),
            ),
        )
        self.weights = [one for one in self.tuned.parameters() if one.requires_grad]

    def _taught(self, questions: list[Question], answers: list[list[int]]) -> list[torch.Tensor]:
        """The base's last hidden states at the answers' tokens, with rows in its context."""
        pairs = [(one.prompt, one.answer) for one in self.study.rows if one.of_one_turn]
        chance = random.Random(self.variant.seed)  # noqa: S311
        base, asked = self.study.base, []
        for one, answer in zip(questions, answers, strict=True):
            words = set(content_words(one.prompt))
            alike = sorted(pairs, key=lambda pair, words=words: len(words & set(content_words(pair[0] + pair[1]))))  # type: ignore[misc]
            shown = [*shown_rows(alike[-1:], base.pairs, 0, chance)[:-1], *alike[-self.variant.shown :]]
            asked.append(base.sequence("", answer, teacher_messages(shown, one.prompt, SYSTEM)))
        return [states[: len(answer)] for states, answer in zip(base.hidden(asked), answers, strict=True)]

    def _on_policy(self, count: int, chance: random.Random) -> Sequences:
        """Questions with the answers that the model gives now, and what the base with the rows makes of each token."""
        base, inside = self.study.base, [one for one in self.inside if one.kind not in CERTAIN]
        sizes = Counter(one.kind for one in inside)
        systems = (self.study.own_system,) if self.study.own_system is not None else ROW_SYSTEMS
        questions = chance.choices(inside, [sizes[one.kind] ** -0.5 for one in inside], k=count)
        asked = [chance.choice(systems) for _ in questions]
        tuned = LanguageModel(self.tuned, base.tokenizer, adapters=("default",))
        self.tuned.eval()
        prompts = [conversation(one.prompt, system) for one, system in zip(questions, asked, strict=True)]
        found = tuned.answers(prompts, max_new_tokens=POLICY_TOKENS, batch_size=256)
        ends = [[base.end] * (len(one.tokens) < POLICY_TOKENS) for one in found]
        answers = [[*one.tokens, *end] for one, end in zip(found, ends, strict=True)]
        with self.tuned.disable_adapter():
            states = self._taught(questions, answers)
        self.tuned.train()
        sequences = [
            base.sequence(one.prompt, answer, system)
            for one, answer, system in zip(questions, answers, asked, strict=True)
        ]
        self.soft = {id(ids): state for (ids, _), state in zip(sequences, states, strict=True)}
        return sequences

    def run(self) -> dict[str, Any]:
        started = time.perf_counter()
        log = self._train()
        told = {
            "set": self.study.name,
            "spec": asdict(self.variant),
            "train_s": time.perf_counter() - started,
            "log": log[:: max(1, len(log) // 12)] + log[-1:],
            "in": [len(one) for one in self.extra],
            "near": len(self.near),
            "ceiling": self.study.reached,
            "write_s": getattr(self.study, "write_s", 0),
        }
        self.tuned.eval()
        started = time.perf_counter()
        told |= measure(self.study, LanguageModel(self.tuned, self.study.base.tokenizer, adapters=("default",)))
        told["ask_s"] = time.perf_counter() - started
        self.study.base.model = self.study.base.lm.model = self.tuned.unload()
        return told

    def _train(self) -> list[Any]:
        v = self.variant
        steps = v.steps or -(-len(self.own) // v.bs) * v.epochs
        optimizer = torch.optim.AdamW(self.weights, lr=v.lr, betas=(0.9, 0.95), weight_decay=v.wd)
        warm, log = max(1, math.ceil(steps * 0.05)), []
        sizes = [len(one) ** 0.5 for one in self.extra]
        extra = min(v.extra, sum(map(len, self.extra)) // 12)
        drawn_of = [0] * len(self.extra)
        chance = random.Random(v.seed)  # noqa: S311
        near = min(v.near, len(self.near))
        self.tuned.train()
        for step in range(steps + v.policy):
            falling = 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps + v.policy - warm)))
            for group in optimizer.param_groups:
                group["lr"] = v.lr * ((step + 1) / warm if step < warm else falling)
            own = [self.own[at] for at in draw_rows(len(self.own), step, v.bs - extra, v.seed)]
            if step >= steps and extra:
                own += self._on_policy(extra, chance)
            for kind in chance.choices(range(len(self.extra)), sizes, k=extra) if extra and step < steps else []:
                [at] = draw_rows(len(self.extra[kind]), drawn_of[kind], 1, v.seed)
                drawn_of[kind] += 1
                own.append(self.extra[kind][at])
            kept = [
                (self.general[at], self.general_states[at]) for at in draw_rows(len(self.general), step, v.keep, v.seed)
            ]
            kept += (
                [(self.near[at], self.near_states[at]) for at in draw_rows(len(self.near), step, near, v.seed)]
                if near
                else []
            )
            entropy, drift = self._loss(own, kept)
            torch.autograd.backward(entropy + v.weight * drift)
            torch.nn.utils.clip_grad_norm_(self.weights, 1.0)
            optimizer.step()
            optimizer.zero_grad()
            log.append([step, round(entropy.item(), 4), round(drift.item(), 5)])
        return log

    def _loss(self, own: Sequences, kept: list[Any]) -> tuple[torch.Tensor, torch.Tensor]:
        inputs, starts = lay_out([ids for ids, _ in own] + [one[0][0] for one in kept], self.tuned.device)
        head = self.tuned.get_base_model().lm_head
        with torch.autocast(self.tuned.device.type, torch.bfloat16, enabled=self.tuned.device.type == "cuda"):
            seen = self.tuned.get_base_model().model(**inputs).last_hidden_state.flatten(0, 1)
            at = torch.cat(
                [torch.arange(b + first, b + len(ids) - 1) for b, (ids, first) in zip(starts, own, strict=False)]
            )
            words = torch.cat([ids[first + 1 :] for ids, first in own]).to(seen.device)
            hard = torch.cat([torch.full((len(ids) - 1 - first,), id(ids) not in self.soft) for ids, first in own])
            predicted, hard = seen[at.to(seen.device)], hard.to(seen.device)
            entropy = functional.cross_entropy(head(predicted[hard]).float(), words[hard], reduction="sum")
            if not hard.all():
                taught = torch.cat([self.soft[id(ids)] for ids, _ in own if id(ids) in self.soft])
                distance = _reverse_kl if self.variant.reverse else kl_divergence
                entropy = entropy + self.variant.soft * in_chunks(
                    lambda q, p: distance(head(p), head(q)).sum(), predicted[~hard], taught
                )
            entropy = entropy / len(words)
            if not kept:
                return entropy, torch.zeros_like(entropy)
            at = torch.cat(
                [
                    torch.arange(b + first, b + len(ids))
                    for b, ((ids, first), _) in zip(starts[len(own) :], kept, strict=False)
                ]
            )
            tuned = seen[at.to(seen.device)]
            drift = in_chunks(
                lambda q, p: kl_divergence(head(p), head(q)).sum(), tuned, torch.cat([one[1] for one in kept])
            )
        return entropy, drift / len(tuned)


def _reverse_kl(base_logits: torch.Tensor, tuned_logits: torch.Tensor) -> torch.Tensor:
    """KL(tuned || base) in nats per position; gradients flow through `tuned_logits` only."""
    base = functional.log_softmax(base_logits.detach().float(), -1)
    tuned = functional.log_softmax(tuned_logits.float(), -1)
    return functional.kl_div(base, tuned, reduction="none", log_target=True).sum(-1)


def measure(study: Study, tuned: LanguageModel) -> dict[str, Any]:
    """Asks the probes of one part: `tuned` has one adapter, "default"."""
    rows = [row for row in study.rows if row.of_one_turn]
    inside: list[Probe] = [("trained", row.prompt, Expectation(answer=(row.answer,))) for row in rows]
    inside += study.inside
    systems = study.systems
    found = iter(
        tuned.answers([conversation(p[1], s) for s in systems for p in inside], max_new_tokens=64, batch_size=256)
    )
    groups: dict[str, dict[str, list[bool]]] = {}
    missed = []
    for s in systems:
        for group, prompt, expect in inside:
            answer = next(found).text
            good = bool(expect and expect.met(answer, prompt=prompt))
            groups.setdefault(group, {}).setdefault(s, []).append(good)
            if not good:
                missed.append([s, group, prompt, answer[:160]])
    told: dict[str, Any] = {
        "groups": {g: {s: [sum(v), len(v)] for s, v in by.items()} for g, by in groups.items()},
        "missed": missed,
    }
    leaks, drift = [], {}
    for s in study.before:
        asked = [conversation(p[1], s) for p in study.outside]
        after = tuned.answers(asked, max_new_tokens=48, batch_size=256)
        before = study.before[s]
        for p, a, b in zip(study.outside, after, before, strict=False):
            markers = tuple(m for m in study.new if not contains_any(f"{p[1]} {b.text}", (m,)))
            if markers and contains_any(a.text, markers):
                leaks.append([s, p[0], p[1], a.text[:160]])
        drifts = measure_drift(tuned, asked, before, before=None, after="default", batch_size=64)
        for kind in ("neighbour", "out-of-scope"):
            chosen = [
                d
                for d, p in zip(drifts, study.outside, strict=False)
                if (p[0] == "out-of-scope") == (kind == "out-of-scope")
            ]
            if tokens := sum(d.tokens for d in chosen):
                drift[f"{kind}|{s}"] = [
                    round(sum(d.kl_sum for d in chosen) / tokens, 5),
                    round(sum(d.agreeing for d in chosen) / tokens, 4),
                    len(chosen),
                ]
    return told | {"leaks": leaks, "drift": drift}


def line(one: dict[str, Any]) -> str:
    groups = {g: min(a / n for a, n in by.values()) for g, by in one["groups"].items()}
    drift = {k.split("|")[0][:3] + ("0" if k.endswith("|") else "1"): v[:2] for k, v in one["drift"].items()}
    spec = {k: v for k, v in one["spec"].items() if v != getattr(Variant(), k)}
    return (
        f"{one['set']:12} {spec} {one['train_s']:.0f}+{one['ask_s']:.0f}s "
        + " ".join(f"{g[:6]} {v:.2f}" for g, v in groups.items())
        + f" leaks {len(one['leaks'])} {drift}"
    )


def table(files: Sequence[Path]) -> str:
    """By variant the means over its sets of the worst system prompt, and the sum of leaks; then each set's."""
    results = [one for file in files for one in json.loads(file.read_text(encoding="utf-8"))]
    by: dict[str, list[dict[str, Any]]] = {}
    for one in results:
        spec = {k: v for k, v in one["spec"].items() if v != getattr(Variant(), k) and k not in ("seed", "qseed")}
        by.setdefault(" ".join(f"{k}={v}" for k, v in spec.items()), []).append(one)
    lines = [
        "| variant | sets | trained | " + " | ".join(IN_SCOPE[1:]) + " | leaks | kl | kl, neighbours | train, ask s |",
        "|---" * (len(IN_SCOPE) + 6) + "|",
    ]
    lines += [_table_line(name, several) for name, several in by.items()]
    for name, several in by.items():
        lines += [_table_line(f"{one['set']}: {name}", [one]) for one in several]
    return "\n".join(lines)


def _table_line(name: str, several: Sequence[dict[str, Any]]) -> str:
    def mean(values: Sequence[float], digits: int = 2) -> str:
        return f"{sum(values) / len(values):.{digits}f}" if values else "–"

    def drift(one: dict[str, Any], kind: str) -> list[float]:
        found = [v[0] for k, v in one["drift"].items() if k.startswith(kind)]
        return [max(found)] if found else []

    cells = [
        mean([min(a / n for a, n in one["groups"][group].values()) for one in several if group in one["groups"]])
        for group in IN_SCOPE
    ]
    cells += [str(sum(len(one["leaks"]) for one in several))]
    cells += [mean([v for one in several for v in drift(one, kind)], 4) for kind in ("out-of-scope", "neighbour")]
    cells += [", ".join(mean([one[key] for one in several], 0) for key in ("train_s", "ask_s"))]
    return f"| {name} | {len(several)} | " + " | ".join(cells) + " |"


def main() -> None:
    if sys.argv[1] == "--table":
        print(table([Path(file) for file in sys.argv[2:]]))
        return
    model, out, sets, part, *specs = sys.argv[1:]
    seeds = [42]
    if specs[0].startswith("seeds="):
        seeds = [int(one) for one in specs.pop(0)[6:].split(",")]
    started = time.perf_counter()
    base, results = Base(Path(model)), []
    print(f"base ready {time.perf_counter() - started:.0f} s", flush=True)
    for name in sets.split("=")[1].split(","):
        study = TrainingStudy(base, name, part.split("=")[1], Path(out).parent)
        print(f"{name}: {study.reached} with the rows in context, {time.perf_counter() - started:.0f} s", flush=True)
        for spec in specs:
            for seed in seeds:
                variant = Variant(**(eval(f"dict({spec})") | {"seed": seed, "qseed": seed}))  # noqa: S307
                try:
                    results.append(Trial(study, variant).run())
                except RuntimeError as error:  # the others go on
                    print(name, spec, seed, error, flush=True)
                    continue
                print(line(results[-1]), flush=True)
                Path(out).write_text(json.dumps(results, ensure_ascii=False))


if __name__ == "__main__":
    main()
