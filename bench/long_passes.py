"""Training steps of long passes on one card: how they were computed before, each change alone, all of them, and in FP8.

    python bench/long_passes.py bench/shapes/qwen2.5-7b OUT.json
    python bench/long_passes.py data/tiny-qwen2 OUT.json --tokens 64 --rounds 1

The folder has a config.json; the weights are random, and made on the card. LoRA of rank 16 on every projection, AdamW.
`rows`: one row of --tokens tokens, all but the first 32 of them trained. `mixed`: rows of 20 to 900 tokens, with a
median of 150, the first 24 of each the same system prompt, so many that they have --tokens together; two thirds are
trained. A token of a row counts, also where a shared prompt is computed once for several.

Variants alternate; a step is its layout, forward and backward pass, clipping and the optimizer, whose rate of 0 leaves
the same adapter to every variant. `added_gib`: what a step takes beside the weights. `loss`, `gradient_gap`: of the
same batch and adapter as "before", the latter relative to its norm. `kl`: KL(before || this) of the predictions, in
nats a token. OUT.json is written after each entry; a variant that fails is an entry with its error. The fastest
variants in bfloat16 and FP8 are profiled at the end. Without a card only the arithmetic is tried, a step for each
variant.
"""

import json
import random
import statistics
import sys
import time
from argparse import Namespace
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import torch
from arguments import arguments
from columns import columns

from toolkit.core.startup import prepare_environment

prepare_environment()
from long_fp8 import Weights  # noqa: E402
from long_variants import VARIANTS, Variant, applied, hidden_states, losses  # noqa: E402

from toolkit.data.encoding import IGNORED, Encoded  # noqa: E402
from toolkit.model.divergence import kl_divergence  # noqa: E402
from toolkit.model.families.network import logits  # noqa: E402
from toolkit.train.passes.batch import Batch, Sizes, TrainSequence, lay_out, row_sequence  # noqa: E402
from toolkit.train.passes.cuda_graph import GraphedPass  # noqa: E402
from toolkit.train.passes.end_to_end import kernel_agrees, moved, with_spans  # noqa: E402
from toolkit.train.passes.fused_parts import fused_parts  # noqa: E402
from toolkit.train.passes.kernels import fuse_norms  # noqa: E402
from toolkit.train.passes.packing import END_TO_END, LINE_TOKENS, frame_for, share_prefixes  # noqa: E402

GIB = 2**30
RANK, SYSTEM_TOKENS, SHORTEST, MEDIAN, LONGEST = 16, 24, 20, 150, 900
BATCHES, COMPARED = 3, 512
WARM, STEPS = {"cuda": 2, "cpu": 0}, {"cuda": 3, "cpu": 1}
PROFILED, SHOWN = 2, 40
WORK = ("rows", "mixed")


@dataclass
class Trial:
    """A variant on one kind of work: its seconds a step, and what else was found."""

    variant: Variant
    work: str
    seconds: list[float] = field(default_factory=list)
    found: dict[str, Any] = field(default_factory=dict)
    graph: GraphedPass | None = None

    def entry(self, tokens: int) -> dict[str, Any]:
        entry: dict[str, Any] = {"work": self.work, **asdict(self.variant), **self.found}
        if self.seconds:
            median = statistics.median(self.seconds)
            entry |= {"step_s": round(median, 5), "tokens_per_s": round(tokens / median), "steps": len(self.seconds)}
            entry |= {"fastest_s": round(min(self.seconds), 5), "slowest_s": round(max(self.seconds), 5)}
        return entry


class World:
    """A model with random weights and an adapter, and the same batches for every variant."""

    def __init__(self, folder: Path, tokens: int) -> None:
        from peft import LoraConfig, get_peft_model
        from transformers import AutoConfig, AutoModelForCausalLM

        self.device, self.tokens = torch.device("cuda" if torch.cuda.is_available() else "cpu"), tokens
        torch.manual_seed(0)
        config = AutoConfig.from_pretrained(folder)
        with torch.device(self.device):
            causal = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16, attn_implementation="sdpa")
        fuse_norms(causal)
        lora = LoraConfig(r=RANK, lora_alpha=2 * RANK, target_modules="all-linear", task_type="CAUSAL_LM")
        self.model: Any = get_peft_model(causal, lora).train()
        self.trained = [one for one in self.model.parameters() if one.requires_grad]
        with torch.no_grad():
            for one in self.trained:
                one.normal_(std=0.01)  # an adapter that has learned something: its second factors are not zero
        self.optimizer = torch.optim.AdamW(self.trained, lr=0.0, fused=self.device.type == "cuda")
        self.rows = {work: [self._rows(work, number) for number in range(BATCHES)] for work in WORK}
        self.weights: Weights = {}
        self.expected: dict[str, tuple[list[torch.Tensor], torch.Tensor]] = {}

    @property
    def causal(self) -> Any:
        return self.model.get_base_model()

    def _rows(self, work: str, number: int) -> list[TrainSequence]:
        chance = random.Random(number)  # noqa: S311  # the same rows at each call
        most = self.causal.config.vocab_size - 1
        system = [chance.randint(1, most) for _ in range(SYSTEM_TOKENS)]
        lengths = [self.tokens]
        if work == "mixed":
            lengths = []
            while (left := self.tokens - sum(lengths)) > 0:
                length = round(MEDIAN * chance.lognormvariate(0, 0.8))
                lengths.append(min(max(length, SHORTEST + SYSTEM_TOKENS), LONGEST, left))
        rows = []
        for length in lengths:
            ids = [*system, *(chance.randint(1, most) for _ in range(length))][:length]
            prompt = 32 if work == "rows" else max(SYSTEM_TOKENS, length // 3)
            labels = [IGNORED if at < prompt else token for at, token in enumerate(ids)]
            rows.append(row_sequence(Encoded(input_ids=ids, labels=labels)))
        return [row for row in rows if len(row.positions)]

    def batch(self, variant: Variant, work: str, number: int) -> Batch:
        rows = self.rows[work][number % BATCHES]
        line = END_TO_END if variant.ends else LINE_TOKENS["cuda"]
        sizes = self.sizes(work) if variant.captured and not variant.lines else None
        batch = lay_out(rows, 0, line, sizes, plain=variant.lines)
        assert batch is not None
        trained = sum(len(one.positions) for one in rows)
        return (with_spans(batch) if variant.ends else batch) | {"row_weight": torch.tensor([1 / trained])}

    def sizes(self, work: str) -> Sizes:
        """One shape for all batches."""
        shared = [
            share_prefixes([one.ids for one in rows], [int(one.positions[0]) for one in rows])
            for rows in self.rows[work]
        ]  # fmt: skip
        most = max(sum(len(one.positions) for one in rows) for rows in self.rows[work])
        return Sizes(frame=frame_for(shared, LINE_TOKENS["cuda"]), row_positions=most, keep_positions=0)

    def compute(self, variant: Variant, batch: Batch) -> dict[str, torch.Tensor]:
        with torch.autocast(self.device.type, dtype=torch.bfloat16):
            return losses(self.causal, variant, batch)

    def step(self, trial: Trial, number: int) -> torch.Tensor:
        from peft.helpers import disable_input_dtype_casting

        batch = self.batch(trial.variant, trial.work, number)
        if trial.variant.captured:
            graph = trial.graph or self.new_graph(trial)
            with disable_input_dtype_casting(self.model, active=not graph.replays):
                loss = graph(batch)["loss"]
            if graph.refused is not None:
                raise RuntimeError(f"not captured: {graph.refused}")
        else:
            with disable_input_dtype_casting(self.model, active=True):
                loss = self.compute(trial.variant, moved(batch, self.device))["loss"]
                loss.backward()  # type: ignore[no-untyped-call]
        return loss.detach()

    def new_graph(self, trial: Trial) -> GraphedPass:
        def backward(loss: torch.Tensor) -> None:
            loss.backward()  # type: ignore[no-untyped-call]

        lengths = dict.fromkeys(("row_positions", "row_targets"), self.sizes(trial.work).row_positions)
        trial.graph = GraphedPass(
            lambda batch: self.compute(trial.variant, batch), backward, self.trained, lengths, {"row_targets": IGNORED}
        )
        return trial.graph

    def update(self) -> None:
        torch.nn.utils.clip_grad_norm_(self.trained, 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)

    def compare(self, trial: Trial) -> None:
        """Loss, gradients and predictions of the first batch, beside those of the variant "before"."""
        self.optimizer.zero_grad(set_to_none=True)
        trial.found["loss"] = round(float(self.step(trial, 0)), 6)
        gradients = [one.grad.clone() for one in self.trained if one.grad is not None]
        self.optimizer.zero_grad(set_to_none=True)
        if trial.variant.captured:
            return  # replays come later; its first pass is not a graph
        with torch.no_grad(), torch.autocast(self.device.type, dtype=torch.bfloat16):
            batch = moved(self.batch(trial.variant, trial.work, 0), self.device)
            predicted = logits(self.causal, hidden_states(self.causal, batch)[batch["row_positions"][:COMPARED]])
        if trial.variant.name == "before":
            self.expected[trial.work] = gradients, predicted
        if trial.work not in self.expected:
            return
        expected, base = self.expected[trial.work]
        gap = sum(float((one - other).square().sum()) for one, other in zip(gradients, expected, strict=True))
        norm = sum(float(one.square().sum()) for one in expected)
        trial.found["gradient_gap"] = round((gap / norm) ** 0.5, 5)
        trial.found["kl"] = float(kl_divergence(base, predicted).mean())

    def wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def run(self, trial: Trial, *, first: bool) -> None:
        """Some steps; the first time compared, and after others that are not counted."""
        with applied(trial.variant, self.model, self.weights):
            on_card, before = self.device.type == "cuda", 0
            if on_card and (first or trial.variant.captured):
                torch.cuda.empty_cache()
                torch.cuda.reset_peak_memory_stats()
                before = torch.cuda.memory_allocated()
            if first:
                self.compare(trial)
            if first or trial.variant.captured:
                for number in range(WARM[self.device.type]):
                    self.step(trial, number)
                    self.update()
            if first and on_card:
                trial.found["added_gib"] = round((torch.cuda.max_memory_allocated() - before) / GIB, 2)
            for number in range(STEPS[self.device.type]):
                self.wait()
                began = time.perf_counter()
                self.step(trial, number)
                self.update()
                self.wait()
                trial.seconds.append(time.perf_counter() - began)
        trial.graph = None  # it holds a pass's memory: captured again next time

    def profile(self, trial: Trial) -> dict[str, Any]:
        """What the card computes in a step, by kernel, as bench/step_kernels.py tells it."""
        from step_kernels import kind_of

        activity = torch.profiler.ProfilerActivity
        kind = activity.CUDA if self.device.type == "cuda" else activity.CPU
        with applied(trial.variant, self.model, self.weights):
            self.step(trial, 0)
            self.wait()
            with torch.profiler.profile(activities=[kind]) as profiler:
                for number in range(PROFILED):
                    self.step(trial, number)
                    self.update()
                self.wait()
        on_card = kind is activity.CUDA
        kernels = [
            (one.key, one.count / PROFILED, (one.self_device_time_total if on_card else one.self_cpu_time_total) / 1000)
            for one in profiler.key_averages()
        ]
        kinds: dict[str, float] = {}
        for name, _, ms in kernels:
            kinds[kind_of(name)] = kinds.get(kind_of(name), 0) + ms / PROFILED
        ordered = sorted(kernels, key=lambda one: -one[2])[:SHOWN]
        return {
            "work": trial.work, "name": trial.variant.name,
            "kinds_ms": {kind: round(ms, 2) for kind, ms in sorted(kinds.items(), key=lambda one: -one[1])},
            "kernels": [(name[:160], count, round(ms / PROFILED, 3)) for name, count, ms in ordered],
        }  # fmt: skip


def trials(work: str, only: list[str]) -> Iterator[Trial]:
    for variant in VARIANTS:
        if (not only or variant.name in only) and not (variant.of_one_row and work == "mixed"):
            yield Trial(variant, work)


def table(result: dict[str, Any]) -> str:
    names = ("tokens_per_s", "step_s", "added_gib", "loss", "gradient_gap", "kl")
    rows = [["", *names]]
    for one in result["entries"]:
        shown = ["-" if one.get(name) is None else f"{one[name]:.6g}" for name in names]
        shown = shown if "error" not in one else [one["error"][:40], *"-----"]
        rows.append([f"{one['work']}: {one['name']}", *shown])
    return columns(rows)


def measure(world: World, every: list[Trial], options: Namespace, write: Callable[[], None]) -> None:
    """Round by round, so that a card that slows down slows every variant."""
    began = time.perf_counter()
    for number in range(options.rounds):
        for trial in every:
            late = time.perf_counter() - began > options.seconds
            if "error" in trial.found or (number and late):
                continue
            try:
                world.run(trial, first=number == 0)
            except Exception as error:  # noqa: BLE001  # of one variant, told beside the others
                trial.found["error"] = f"{type(error).__name__}: {error}"[:600]
                trial.graph = None
                print(f"{trial.work}: {trial.variant.name}: {trial.found['error']}", file=sys.stderr, flush=True)
            write()


def profiles(world: World, every: list[Trial]) -> Iterator[dict[str, Any]]:
    """Of the fastest variant on each kind of work, in bfloat16 and in FP8."""
    for work, fp8 in product(WORK, (False, True)):
        measured = [one for one in every if one.work == work and one.seconds and "error" not in one.found]
        kind = [one for one in measured if (one.variant.fp8 is not None) is fp8 and not one.variant.captured]
        if not kind:
            continue
        best = min(kind, key=lambda one: statistics.median(one.seconds))
        try:
            yield world.profile(best)
        except Exception as error:  # noqa: BLE001  # the times are there all the same
            yield {"work": work, "name": best.variant.name, "error": f"{type(error).__name__}: {error}"[:600]}


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--tokens", type=int, default=4096)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=130, help="after so many, nothing is measured again")
    parser.add_argument("--only", nargs="+", default=[], help="names of variants")
    options = parser.parse_args()
    began = time.perf_counter()
    torch.backends.cuda.enable_cudnn_sdp(False)  # as `toolkit.model.device` does
    world = World(options.model, options.tokens)
    on_card = world.device.type == "cuda"
    result: dict[str, Any] = {
        "what": "steps of long passes", "model": options.model.name, "torch": torch.__version__,
        "card": torch.cuda.get_device_name() if on_card else "none", "tokens": options.tokens, "rank": RANK,
        "weights_gib": round(torch.cuda.memory_allocated() / GIB, 2) if on_card else None,
        "kernel_agrees": kernel_agrees(world.device) if on_card else None,
        "parts_agree": sorted(fused_parts(world.causal)),
        "made_s": round(time.perf_counter() - began, 1), "entries": [], "profiles": [],
    }  # fmt: skip
    every = [trial for work in WORK for trial in trials(work, options.only)]

    def write() -> None:
        result["seconds"] = round(time.perf_counter() - began, 1)
        result["entries"] = [trial.entry(options.tokens) for trial in every if trial.seconds or trial.found]
        options.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")

    measure(world, every, options, write)
    for one in profiles(world, every):
        result["profiles"].append(one)
        write()
    print(table(result))
    for one in result["profiles"]:
        print(f"\n{one['work']}: {one['name']}: {one.get('kinds_ms', one.get('error'))}")


if __name__ == "__main__":
    main()
