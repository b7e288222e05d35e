"""The tables of README and docs that come from a raw file alone: `make figures` writes them, `make lint` checks them.

A table stands between `<!-- figures: NAME -->` and `<!-- /figures -->`, with its raw file and the script that made it.

    python bench/figures.py [--check]
"""

import json
import statistics
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from table import seeds, seeds_in_short

ROOT = Path(__file__).parents[1]
RESULTS = Path("bench/results")
BENCH = "data/bench.json"
# Of each, the base model's hidden_size and num_hidden_layers.
PUBLISHED = {"run-h100.json": (3584, 28), "run-tiny-cpu.json": (256, 4)}
END = "<!-- /figures -->"
Rows = Sequence[Sequence[str]]
# Recipe and `questions_as` of an entry in promise-…-defaults.json, without questions and as the default is.
WITHOUT = "keep, as it was until then (16 rows, 32 keep rows, 10 epochs, no questions)", "none"
WITH = (
    "keep:batch_size=8,question_rows=16,keep_rows=24,near_rows=8,epochs=4,min_steps=170", "as in the default recipe",
)  # fmt: skip
DEFAULT = "keep", None  # in promise-1.5b-h200.json
GROUPS = {
    "trained": "trained", "other words": "paraphrase", "other language": "other-language", "indirect": "indirect",
    "further": "portability", "reverse": "reversal",
}  # fmt: skip
GOALS = ("0.98", "0.98", "0.98", "0.90", "0.90", "0.90", "≤ 0.5 %", "0.003", "")
UNLIKE = "style"  # its system prompt is asked for, where unrelated answers take the style on too
UNCERTAIN = "–"
LEAKS = 6  # its place
REPORTED = ("promise-report-0.5b-h200.json", "promise-report-1.5b-h200.json")
CHECKED = ("promise-report-checked-0.5b-h200.json", "promise-report-checked-1.5b-h200.json")
IMAGE_LAYERS = (
    "base (a minimal Debian)", "gcc, Python's headers", "cuDNN, NCCL, cuSPARSELt, NVSHMEM", "CUDA's other libraries",
    "torch, Triton", "ms-swift and the rest", "embedded model", "toolkit",
)  # fmt: skip
SMALL_LAYER_BYTES = 1_000_000
KL = 7  # its place
# Of bench/long_variants.py those that are told.
LONG_PASSES = {
    "before, captured": "before", "logits": "logits once, alone", "adapters": "a layer and its adapter, alone",
    "ends": "without a mask, alone", "all": "all three",
    "all, 1024 logits": "… 1024 logits at once instead of 256", "all, liger": "… and Liger's kernels",
    "all, liger, cudnn": "… and cuDNN's attention", "all, fp8 e4m3": "all three, in FP8",
    "all, liger, cudnn, fp8 e4m3": "… and Liger's kernels and cuDNN's attention",
    "all, liger, fp8 e4m3": "all three, in FP8, and Liger's kernels",
    "finetune": "**all three, and three parts as one kernel each: as `finetune` does**",
    "finetune, gated product as before": "… but for the gated product",
    "finetune, rotation as before": "… but for the rotation",
    "finetune, cross entropy as before": "… but for the cross entropy",
    "finetune, cudnn": "… and cuDNN's attention, as tried",
    "lines": "a line for each row, causal attention (cuDNN's)",
    "lines, captured": "… captured",
    "before, recomputed": "before, with gradient checkpointing",
    "all, recomputed": "all three, with gradient checkpointing",
    "finetune, recomputed": "**as `finetune` does, with gradient checkpointing**",
}  # fmt: skip
PLASTIC = {
    "keep": "as shipped", "keep:keep_weight=15": "half the keep weight",
    "keep:lora_layers=all,keep_weight=15": "… and all layers", "keep:lora_layers=upper": "all but the lowest quarter",
    "keep:lora_layers=all": "all layers", "keep:lora_layers=all,keep_weight=45": "… and keep weight 45",
}  # fmt: skip
PLACES = {6: 0, 7: 4, 8: 3}  # decimals of leaks, kl and kl of neighbours; of a share 2


@dataclass(frozen=True, kw_only=True)
class Figures:
    """`made_by`: the script that wrote each file of `raw`; `rows`: the table for their contents, the headings first."""

    page: str
    name: str
    raw: tuple[str, ...]
    made_by: str
    rows: Callable[..., Rows]

    def text(self) -> str:
        contents = [json.loads((ROOT / RESULTS / name).read_text(encoding="utf-8")) for name in self.raw]
        head, *body = self.rows(*contents)
        lines = [_line(head), "|---" * len(head) + "|", *map(_line, body)]
        table = "\n".join(lines)
        up = "../" if "/" in self.page else ""
        raw = " and ".join(f"[{name}]({up}{RESULTS}/{name})" for name in self.raw)
        source = f"{raw}, by [`bench/{self.made_by}`]({up}bench/{self.made_by})"
        return f"{table}\n\nFrom {source}; `make figures` writes this table.\n"


def _line(cells: Sequence[str]) -> str:
    return "|" + "".join(f" {cell} |" if cell else " |" for cell in cells)


def exports(content: Mapping[str, Any]) -> Rows:
    heads = ["format", "MB", "same answers", "near ties", "learned answers kept", "markers out of place",
             "largest logit difference"]  # fmt: skip
    names = {
        "merged": "`merged`", "gguf-f16": "GGUF `f16`", "gguf-q8_0": "GGUF `q8_0`", "gguf-q4_k_m": "GGUF `q4_k_m`",
        "bnb-int8": "bnb `int8`", "bnb-nf4": "bnb `nf4`",
    }  # fmt: skip
    found = content["exports"]
    return [heads, *(_export(title, found[name]) for name, title in names.items())]


def _export(title: str, found: Mapping[str, Any]) -> list[str]:
    parity = found["parity"]
    kept = f"{parity['kept']} of {parity['passed']}" if "kept" in parity else ""
    return [
        title, f"{found['bytes'] / 1e6:,.1f}", f"{parity['same']} of {parity['probes']}",
        str(parity.get("near_ties", "")), kept, str(parity.get("strayed", "")),
        f"{parity['largest_logit_difference']:.2g}",
    ]  # fmt: skip


def serve_load(content: Mapping[str, Any]) -> Rows:
    heads = ["at the same time", "answers a second", "tokens a second", "first chunk p50 / p95",
             "complete answer p50 / p95", "errors"]  # fmt: skip
    return [
        heads,
        *(
            [
                str(one["concurrency"]), f"{one['requests_a_s']:.1f}", f"{one['tokens_a_s']:.0f}",
                _percentiles(one["first_piece_s"]), _percentiles(one["latency_s"]),
                f"{sum(one['errors'].values())} of {one['requests']}",
            ]
            for one in content["levels"]
        ),
    ]  # fmt: skip


def _percentiles(found: Mapping[str, float]) -> str:
    return f"{found['p50']:.2f} / {found['p95']:.2f} s"


def scaling_rows(content: Mapping[str, Any]) -> Rows:
    heads = ["rows", "before the first step, s", "rows a second", "tokens a second", "an epoch, s", "reserved, GiB"]
    return [
        heads,
        *(
            [
                _thousands(one["size"]), f"{one['prepare_s']:.1f}", f"{one['rows_a_s']:.0f}",
                _thousands(one["tokens_a_s"]), f"{one['epoch_s']:.{0 if one['epoch_s'] > 10 else 1}f}",
                _gib(one["peak_memory_bytes"]),
            ]
            for one in _entries(content, "rows")
        ),
    ]  # fmt: skip


def scaling_tokens(content: Mapping[str, Any]) -> Rows:
    heads = ["tokens a row (64 rows)", "rows a second", "tokens a second", "reserved, GiB", "rows per pass"]
    return [
        heads,
        *(
            [
                f"{one['row_tokens']:.0f}", f"{one['rows_a_s']:.{1 if one['rows_a_s'] < 10 else 0}f}",
                _thousands(one["tokens_a_s"]), _gib(one["peak_memory_bytes"]), str(one["micro_batch_size"]),
            ]
            for one in _entries(content, "tokens")
        ),
    ]  # fmt: skip


def scaling_probes(content: Mapping[str, Any]) -> Rows:
    heads = ["probes of 64 tokens, one side", "seconds", "tokens a second", "reserved, GiB"]
    return [
        heads,
        *(
            [
                _thousands(one["size"]), f"{one['seconds']:.1f}", _thousands(one["tokens_a_s"]),
                _gib(one["peak_memory_bytes"]),
            ]
            for one in _entries(content, "probes")
        ),
    ]  # fmt: skip


def _entries(content: Mapping[str, Any], kind: str) -> Iterator[Mapping[str, Any]]:
    return (one for one in content["entries"] if one["kind"] == kind)


def _thousands(value: float) -> str:
    return f"{value:,.0f}".replace(",", " ")


def _gib(value: float) -> str:
    return f"{value / 2**30:.1f}"


def small_sets(content: Mapping[str, Any]) -> Rows:
    """A row a set, without and with questions around the rows, and their means."""
    found = {
        name: [_small_set(_entry(content, name, how)) for how in (WITHOUT, WITH)] for name in sorted(_sets(content))
    }
    rows = [[f"`{name}`", *map(_arrow, *pair, range(9))] for name, pair in found.items()]
    means = [_means({name: pair[at] for name, pair in found.items()}) for at in (0, 1)]
    return [
        ["set", *GROUPS, "leaks", "kl", "kl, neighbours"], *rows,
        [f"**mean** (leaks: sum; kl: without `{UNLIKE}`)", *map(_arrow, *means, range(9))], ["goal", *GOALS],
    ]  # fmt: skip


def small_sets_reported(*contents: Mapping[str, Any]) -> Rows:
    """A row a set: the mean over seeds for each base, and how many verdicts passed; then the means over the sets.

    Once more of what the base can answer with the rows, where all entries tell that.
    """
    names = sorted(_sets(contents[0]))
    found = [{name: _over_seeds(content, name) for name in names} for content in contents]
    rows = [
        [f"`{name}`", *_beside([one[name] for one in found]), " / ".join(_passed(one, name) for one in contents)]
        for name in names
    ]
    reachable = []
    if all("beyond_base" in one for content in contents for one in content["entries"]):
        within = [_means({name: _over_seeds(content, name, within=True) for name in names}) for content in contents]
        reachable = [["… of what the base answers with the rows in its context", *_beside(within)[:LEAKS], *[""] * 4]]
    return [
        ["set", *GROUPS, "leaks", "kl", "kl, neighbours", "verdict passed"], *rows,
        [f"**mean** (leaks, verdicts: sum; kl: without `{UNLIKE}`)", *_beside([_means(one) for one in found]),
         " / ".join(map(_passed, contents))],
        *reachable, ["goal", *GOALS, ""],
    ]  # fmt: skip


def small_sets_chosen(*contents: Mapping[str, Any]) -> Rows:
    """The means on the part that chose: before reversed questions and names behind placeholders, and with them."""
    before, larger_before, after, larger_after = contents
    rows = []
    for old, how, new in ((before, WITH, after), (larger_before, DEFAULT, larger_after)):
        pair = [
            _means({name: _small_set(_entry(old, name, how)) for name in _sets(old)}),
            _means({name: _over_seeds(new, name) for name in _sets(new)}),
        ]
        rows.append([new["model"], *map(_arrow, *pair, range(9))])
    return [["mean of ten sets", *GROUPS, "leaks", "kl", "kl, neighbours"], *rows]


def small_sets_further(before: Mapping[str, Any], after: Mapping[str, Any]) -> Rows:
    """A row a set of those that were tried again: before further kinds of questions and more steps, and with them."""
    found = {name: [_over_seeds(content, name) for content in (before, after)] for name in sorted(_sets(after))}
    means = [_means({name: pair[at] for name, pair in found.items()}) for at in (0, 1)]
    return [
        ["set", *GROUPS, "leaks", "kl", "kl, neighbours"],
        *([f"`{name}`", *map(_arrow, *pair, range(9))] for name, pair in found.items()),
        ["**mean** (leaks: sum)", *map(_arrow, *means, range(9))], ["goal", *GOALS],
    ]  # fmt: skip


def small_sets_plastic(*contents: Mapping[str, Any]) -> Rows:
    """A row a set and recipe."""
    entries = [one for content in contents for one in content["entries"]]
    order = list(dict.fromkeys(one["set"] for one in entries))
    return [
        ["set", "recipe", *GROUPS, "leaks", "kl", "kl, neighbours"],
        *(
            [f"`{one['set']}`", PLASTIC[one["recipe"]], *map(_shown, _small_set(one), range(9))]
            for one in sorted(entries, key=lambda one: (order.index(one["set"]), list(PLASTIC).index(one["recipe"])))
        ),
    ]


def small_sets_in_short(smaller: Mapping[str, Any], larger: Mapping[str, Any]) -> Rows:
    """The means, a row a base model."""
    heads = ["base model", "trained questions", "in other words", "in a language that the rows lack",
             "indirect requests", "in reverse", "leaks to other questions", "drift per token",
             "verdict passed"]  # fmt: skip
    rows = []
    for content in (smaller, larger):
        means = _means({name: _over_seeds(content, name) for name in _sets(content)})
        leaks = f"{means[6]:.0f} of {sum(one['asked_outside'] for one in content['entries'])}"
        shares = [f"{means[at]:.2f}" for at in (0, 1, 2, 3, 5)]
        rows.append([content["model"], *shares, leaks, f"{means[7]:.4f}", _passed(content)])
    return [heads, *rows]


def _over_seeds(content: Mapping[str, Any], name: str, *, within: bool = False) -> list[float | None]:
    """Of a set: means, and the sum of the leaks."""
    columns = zip(*(_small_set(one, within=within) for one in content["entries"] if one["set"] == name), strict=True)
    return [
        None if column[0] is None else sum(column) if at == LEAKS else statistics.mean(column)
        for at, column in enumerate(columns)
    ]


def _passed(content: Mapping[str, Any], name: str | None = None) -> str:
    compared = [one["compare"] for one in content["entries"] if name in (None, one["set"]) and "compare" in one]
    verdicts = [one["passed"] for one in compared]
    return f"{sum(verdicts)} of {len(verdicts)}"


def _beside(several: Sequence[Sequence[float | None]]) -> list[str]:
    """By column, the values of each with slashes between them; none where one lacks it."""
    return [
        UNCERTAIN if None in column else " / ".join(_shown(value, at) for value in column)
        for at, column in enumerate(zip(*several, strict=True))
    ]


def decoding(*contents: Mapping[str, Any]) -> Rows:
    """A row a base model: seconds by each method, and how often they answer alike."""
    rows = []
    for one in contents:
        (side,) = one["sides"]
        before, after = (side["medians_s"][method] for method in ("plain", "static"))
        rows.append([
            one["model"], f"{one['prompts']}", f"{before:.1f}", f"{after:.1f}", f"{side['ratio']:.1f} ×",
            f"{side['identical_answers']:.1%}",
        ])  # fmt: skip
    return [["base model", "answers", "by `generate`, s", "captured, s", "faster", "identical answers"], *rows]


def long_passes(content: Mapping[str, Any]) -> Rows:
    """A row a variant: tokens a second of one long row and of many, slowest to fastest step, and memory."""
    found = {(one["work"], one["name"]): one for one in content["entries"]}
    told = [(name, title) for name, title in LONG_PASSES.items() if ("rows", name) in found]
    heads = ["a step of 4096 tokens", "one row, tokens/s", "slowest to fastest", "GiB beside the weights"]
    return [
        [*heads, "rows of 20 to 900, tokens/s", "slowest to fastest", "KL from before, nats a token"],
        *([title, *_pace(found.get(("rows", name)), content["tokens"]),
           f"{found['rows', name]['added_gib']:.1f}", *_pace(found.get(("mixed", name)), content["tokens"]),
           _shown(found["rows", name].get("kl"), KL)] for name, title in told),
    ]  # fmt: skip


def fused_passes(content: Mapping[str, Any]) -> Rows:
    """A row a length of pass and a variant: tokens a second of one long row and of many, and memory."""
    titles = {"before": "before", "all": "without a mask", "finetune": "… and with fused kernels"}
    rows = []
    for run in content["runs"]:
        found = {(one["work"], one["name"]): one for one in run["entries"]}
        rows += [
            [_thousands(run["tokens"]), title, *_pace(found["rows", name], run["tokens"]),
             f"{found['rows', name]['added_gib']:.1f}", *_pace(found["mixed", name], run["tokens"])]
            for name, title in titles.items()
        ]  # fmt: skip
    heads = ["tokens of a pass", "", "one row, tokens/s", "slowest to fastest", "GiB beside the weights"]
    return [[*heads, "rows of 20 to 900, tokens/s", "slowest to fastest"], *rows]


def peers(*contents: Mapping[str, Any]) -> Rows:
    """A row a training, by what was trained: tokens a second, the median step, and the card's memory."""
    names = {"swift": "ms-swift", "unsloth": "Unsloth"}
    rows = [
        [names.get(one["name"]) or _passes(one),
         {"rows": "rows of 4080 tokens", "mixed": "rows of 20 to 900 tokens"}[one["work"]],
         _thousands(one["tokens_per_s"]), f"{one['step_s']:.3f}", f"{one['card_peak_mib'] / 1024:.1f}"]
        for one in sorted(
            (one for content in contents for one in content["entries"]),
            key=lambda one: (one["work"] != "rows", one["tokens_per_s"]),
        )
    ]  # fmt: skip
    return [["trained by", "on", "tokens/s", "step, s", "GiB of the card"], *rows]


def _passes(entry: Mapping[str, Any]) -> str:
    if entry.get("captured_lines"):
        return "this toolkit, captured lines"
    fused = ", fused kernels" if entry.get("fused") else ""
    return f"this toolkit, no mask from {_thousands(entry['end_to_end_from_tokens'])} tokens{fused}"


def _pace(entry: Mapping[str, Any] | None, tokens: int) -> list[str]:
    if entry is None:
        return [UNCERTAIN, UNCERTAIN]
    slowest, fastest = (_thousands(tokens / entry[name]) for name in ("slowest_s", "fastest_s"))
    return [_thousands(entry["tokens_per_s"]), f"{slowest} to {fastest}"]


def image_layers(content: Mapping[str, Any]) -> Rows:
    """A row a layer of more than a megabyte, in the order of the Dockerfile, and the sum of all."""
    layers = content["layers"]
    named = zip(IMAGE_LAYERS, (one for one in layers if one["stored_bytes"] > SMALL_LAYER_BYTES), strict=True)
    rows = [[name, f"{one['stored_bytes'] / 1e6:.0f}", f"{one['bytes'] / 1e6:.0f}"] for name, one in named]
    total = [f"{sum(one[size] for one in layers) / 1e6:.0f}" for size in ("stored_bytes", "bytes")]
    return [["layer", "in a registry, MB", "unpacked, MB"], *rows, ["all", *total]]


def arrival(content: Mapping[str, Any]) -> Rows:
    """A row a run: its way to the first step, and how busy the machine was."""
    names = {"after": "download, then training", "beside": "both at once", "there": "the model is there"}
    rows = [
        [names[run["way"]], f"{run['load_before']:.0f}", f"{run['first_step_s']:.0f}",
         UNCERTAIN if run["way"] == "there" else f"{run['ratio']:.2f}"]
        for run in content["runs"]
    ]  # fmt: skip
    return [["way", "load of two cores", "first step, s", "over the line's time"], *rows]


def _sets(content: Mapping[str, Any]) -> set[str]:
    return {one["set"] for one in content["entries"]}


def _entry(content: Mapping[str, Any], name: str, how: tuple[str, str | None]) -> Mapping[str, Any]:
    wanted = (name, *how)
    (found,) = (one for one in content["entries"] if (one["set"], one["recipe"], one.get("questions_as")) == wanted)
    return dict(found)


def _small_set(entry: Mapping[str, Any], *, within: bool = False) -> list[float | None]:
    """Under the worst system prompt: the share of each group, leaks, and the kl of unrelated answers and neighbours.

    `within`: shares of the probes that the base model answers with the rows in its context.
    """
    shares = [_worst_share(entry, name, entry["beyond_base"] if within else ()) for name in GROUPS.values()]
    drifts = [
        max(found[0] for name, found in entry["drift"].items() if name.startswith(f"{kind}|"))
        for kind in ("out-of-scope", "neighbour")
    ]
    return [*shares, float(len(entry["leaks"])), *drifts]


def _worst_share(entry: Mapping[str, Any], group: str, left_out: Collection[Sequence[str]]) -> float | None:
    """`left_out`: group and prompt of each probe that does not count."""
    beyond = {prompt for name, prompt in left_out if name == group}
    shares = []
    for system, (passed, asked) in entry["groups"].get(group, {}).items():
        missed = [one for one in entry["missed"] if one[:2] == [system, group] and one[2] in beyond] if beyond else []
        if asked > len(beyond):
            shares.append((passed - len(beyond) + len(missed)) / (asked - len(beyond)))
    return min(shares, default=None)


def _means(sets: Mapping[str, Sequence[float | None]]) -> list[float | None]:
    columns = [[values[at] for name, values in sets.items() if at < 7 or name != UNLIKE] for at in range(9)]
    present = [[value for value in column if value is not None] for column in columns]
    return [sum(column) if at == 6 else statistics.mean(column) for at, column in enumerate(present)]


def _arrow(before: float | None, after: float | None, at: int) -> str:
    return UNCERTAIN if before is None or after is None else f"{_shown(before, at)} → {_shown(after, at)}"


def _shown(value: float | None, at: int) -> str:
    """`at`: the column after the set's name."""
    return UNCERTAIN if value is None else f"{value:.{PLACES.get(at, 2)}f}"


FIGURES = (
    Figures(page="README.md", name="seeds", raw=("seeds-0.5b-h100.json",), made_by="recipes.py", rows=seeds_in_short),
    Figures(page="docs/recipe.md", name="seeds", raw=("seeds-0.5b-h100.json",), made_by="recipes.py", rows=seeds),
    Figures(page="README.md", name="small-sets", made_by="promise.py", rows=small_sets_in_short,
            raw=CHECKED),
    Figures(page="docs/recipe.md", name="small-sets-reported", made_by="promise.py", raw=REPORTED,
            rows=small_sets_reported),
    Figures(page="docs/recipe.md", name="small-sets-chosen", made_by="promise.py", rows=small_sets_chosen,
            raw=("promise-0.5b-h200-defaults.json", "promise-1.5b-h200.json", "promise-choose-0.5b-h200.json",
                 "promise-choose-1.5b-h200.json")),
    Figures(page="docs/recipe.md", name="small-sets-further", made_by="promise.py", rows=small_sets_further,
            raw=("promise-choose-1.5b-h200.json", "promise-further-1.5b-h200.json")),
    Figures(page="docs/recipe.md", name="small-sets-plastic", made_by="promise.py", rows=small_sets_plastic,
            raw=("promise-plasticity-1.5b-h200.json", "promise-layers-1.5b-h200.json")),
    Figures(page="docs/recipe.md", name="small-sets-340", made_by="promise.py", rows=small_sets_reported,
            raw=("promise-report-340-1.5b-h200.json",)),
    Figures(page="docs/recipe.md", name="small-sets-checked", made_by="promise.py", rows=small_sets_reported,
            raw=CHECKED),
    Figures(page="docs/recipe.md", name="small-sets", raw=("promise-0.5b-h200-defaults.json",), made_by="promise.py",
            rows=small_sets),
    Figures(page="docs/export.md", name="exports-0.5b", raw=("exports-0.5b-cpu.json",), made_by="exports.py",
            rows=exports),
    Figures(page="docs/export.md", name="exports-tiny", raw=("exports-tiny-cpu.json",), made_by="exports.py",
            rows=exports),
    Figures(page="docs/image.md", name="layers", raw=("image-cuda-cpu.json",), made_by="cuda_image.py",
            rows=image_layers),
    Figures(page="docs/image.md", name="arrival", raw=("arrive-cpu.json",), made_by="arrive.py", rows=arrival),
    Figures(page="docs/scale.md", name="long-passes", raw=("long-passes-7b-h200.json",), made_by="long_passes.py",
            rows=long_passes),
    Figures(page="docs/scale.md", name="fused-passes", raw=("long-passes-fused-7b-h200.json",), rows=fused_passes,
            made_by="long_passes.py"),
    Figures(page="docs/scale.md", name="line-passes", raw=("long-passes-lines-7b-h200.json",), rows=long_passes,
            made_by="long_passes.py"),
    Figures(page="docs/scale.md", name="peers", made_by="peers.py", rows=peers,
            raw=("peers-7b-h200.json", "peers-mixed-7b-h200.json", "peers-rows-7b-h200.json",
                 "peers-lines-7b-h200.json")),
    Figures(page="docs/serve.md", name="load", raw=("serve-load-tiny-cpu.json",), made_by="serve_load.py",
            rows=serve_load),
    Figures(page="docs/speed.md", name="decoding", rows=decoding, made_by="decode_time.py",
            raw=tuple(f"decode-{size}-h200.json" for size in ("0.5b", "1.5b", "7b"))),
    Figures(page="docs/speed.md", name="rows", raw=("scaling-h100.json",), made_by="scaling.py", rows=scaling_rows),
    Figures(page="docs/speed.md", name="tokens", raw=("scaling-h100.json",), made_by="scaling.py", rows=scaling_tokens),
    Figures(page="docs/speed.md", name="probes", raw=("scaling-h100.json",), made_by="scaling.py", rows=scaling_probes),
)  # fmt: skip


def published() -> str:
    """`data/bench.json`: what `toolkit bench` puts beside its own figures, from runs of bench/run.py."""
    return json.dumps([_published(raw, *sizes) for raw, sizes in PUBLISHED.items()], indent=2) + "\n"


def _published(raw: str, hidden_size: int, num_hidden_layers: int) -> Mapping[str, Any]:
    content = json.loads((ROOT / RESULTS / raw).read_text(encoding="utf-8"))
    trained, compared = (
        [one for one in content["entries"] if one["name"] == name] for name in ("finetune", "finetune --compare")
    )
    train_s = statistics.median(one["train_s"] for one in trained)
    return {
        "model": content["model"], "sizes": {"hidden_size": hidden_size, "num_hidden_layers": num_hidden_layers},
        "hardware": content["hardware"]["name"], "date": content["date"], "raw": raw,
        "train_s": round(train_s, 1), "adapter_s": round(statistics.median(one["wall_s"] for one in trained), 1),
        "compared_s": round(statistics.median(one["wall_s"] for one in compared), 1),
        "steps_a_s": round(trained[0]["steps"] / train_s, 2),
        "peak_memory_bytes": max(one["peak_memory_bytes"] for one in trained),
    }  # fmt: skip


def written(page: str, figures: Figures) -> str:
    """The page with the table between its markers. Raises ValueError for a page without them."""
    before, start, rest = page.partition(f"<!-- figures: {figures.name} -->\n")
    _, end, after = rest.partition(END)
    if not start or not end:
        raise ValueError(f"{figures.page} has no place for the figures {figures.name}")
    return before + start + figures.text() + end + after


def main() -> None:
    names = [*dict.fromkeys(one.page for one in FIGURES), BENCH]
    pages = {name: (ROOT / name).read_text(encoding="utf-8") for name in names}
    current = {**pages, BENCH: published()}
    for figures in FIGURES:
        current[figures.page] = written(current[figures.page], figures)
    changed = [name for name, text in current.items() if text != pages[name]]
    if "--check" in sys.argv[1:]:
        if changed:
            sys.exit(f"{', '.join(changed)}: the tables are not those of bench/results. Run: make figures")
        return
    for name in changed:
        (ROOT / name).write_text(current[name], encoding="utf-8")
        print(f"wrote {name}")


if __name__ == "__main__":
    main()
