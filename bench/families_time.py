"""Time and memory of training in other families at 7 to 9 B, with random weights made on the card.

    python bench/families_time.py HOME OUT.json
    python bench/families_time.py HOME OUT.json --shapes llama-3-8b qwen3-8b --recipes article keep:epochs=1
    python bench/families_time.py HOME OUT.json --small        # the same layers and heads, narrow: what a CPU can check

One shape after another is written to HOME (up to 19 GB, removed again), with the sizes and the vocabulary that its
maker published, the turns of its chat template, and the embedded model's tokenizer with the family's special tokens: so
a row has more tokens than with its own. Each recipe is trained on it in this process, as train_time.py does; after
`--steps` steps it is stopped as by Ctrl-C. Qwen3's template asks for a thought, of which random weights make no end, so
that it is trained with --thinking off. Recorded are the plan's bound and the memory that was reserved, the time of a
step, and whether steps were captured. A shape or a recipe that fails is an entry.
"""

import json
import shutil
import tempfile
import time
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from toolkit.core.startup import prepare_environment

prepare_environment()
from recipes import recipe_of  # noqa: E402
from small_cards import BOUND, GIB, trained  # noqa: E402

from tests.fakes.family_models import KINDS, Kind, embedded_tokenizer  # noqa: E402
from toolkit.core.events import Caller, StopRequests  # noqa: E402
from toolkit.model.device import reset_peak_memory  # noqa: E402
from toolkit.train.finetune import FinetuneConfig, finetune  # noqa: E402

RECIPES = ("article:epochs=2", "keep:min_steps=1,epochs=0.5")
SMALL = {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 3, "head_dim": 16}
TURNS = {kind.name: kind for kind in KINDS}
BILLION = 1e9


def _shape(kind: str, **sizes: Any) -> Kind:
    return replace(TURNS[kind], config={"tie_word_embeddings": False, "rms_norm_eps": 1e-6, **sizes})


SHAPES: dict[str, Kind] = {
    "llama-3-8b": _shape(
        "llama 3", vocab_size=128256, hidden_size=4096, intermediate_size=14336, num_hidden_layers=32,
        num_attention_heads=32, num_key_value_heads=8, max_position_embeddings=8192, rms_norm_eps=1e-5,
    ),
    "qwen3-8b": _shape(
        "qwen3", vocab_size=151936, hidden_size=4096, intermediate_size=12288, num_hidden_layers=36,
        num_attention_heads=32, num_key_value_heads=8, head_dim=128, max_position_embeddings=40960,
    ),
    "gemma-2-9b": _shape(
        "gemma2", vocab_size=256000, hidden_size=3584, intermediate_size=14336, num_hidden_layers=42,
        num_attention_heads=16, num_key_value_heads=8, head_dim=256, max_position_embeddings=8192,
        tie_word_embeddings=True, sliding_window=4096, query_pre_attn_scalar=256, attn_logit_softcapping=50.0,
        final_logit_softcapping=30.0,
    ),
    "mistral-7b-v0.3": _shape(
        "mistral", vocab_size=32768, hidden_size=4096, intermediate_size=14336, num_hidden_layers=32,
        num_attention_heads=32, num_key_value_heads=8, max_position_embeddings=32768, sliding_window=None,
        rms_norm_eps=1e-5,
    ),
    "qwen2.5-7b": _shape(
        "qwen2", vocab_size=152064, hidden_size=3584, intermediate_size=18944, num_hidden_layers=28,
        num_attention_heads=28, num_key_value_heads=4, max_position_embeddings=32768,
    ),
}  # fmt: skip


def make(folder: Path, kind: Kind, *, small: bool) -> dict[str, Any]:
    """Writes the shape as bfloat16; its parameters and the seconds. `small`: narrow, with few layers and words."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, GenerationConfig

    began = time.perf_counter()
    tokenizer = embedded_tokenizer(kind)
    sizes = kind.config | ({**SMALL, "vocab_size": len(tokenizer)} if small else {})
    config = AutoConfig.for_model(kind.model_type, **sizes)
    end, pad = tokenizer.eos_token_id, tokenizer.pad_token_id
    config.eos_token_id, config.bos_token_id, config.pad_token_id = end, tokenizer.bos_token_id, pad
    torch.manual_seed(0)
    with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
        model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    model.generation_config = GenerationConfig(eos_token_id=end, pad_token_id=pad, do_sample=False)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return {
        "parameters_billion": round(sum(one.numel() for one in model.parameters()) / BILLION, 2),
        "model_type": kind.model_type, "thinks": "enable_thinking" in kind.template,
        "made_s": round(time.perf_counter() - began, 1),
    }  # fmt: skip


def measure(shape: str, spec: str, options: Any, model: Path, output: Path, *, thinks: bool) -> dict[str, Any]:
    entry: dict[str, Any] = {"shape": shape, "recipe": spec}
    recipe = recipe_of(spec)
    if options.questions is None:
        recipe = recipe.changed(question_rows=0, near_rows=0)
    recipe = recipe.changed(thinking="off") if thinks else recipe
    reset_peak_memory()
    lines: list[str] = []
    config = FinetuneConfig(
        data=options.data, recipe=recipe, model=str(model), output=output,
        questions=options.questions if recipe.question_rows else None,
    )  # fmt: skip
    try:
        run = finetune(config, Caller(stop=StopRequests(lines.append), notify=lines.append))
    except Exception as error:  # noqa: BLE001  # the others' time on the card must not be lost to one that fails
        return entry | {"error": f"{type(error).__name__}: {error}", "lines": lines[-8:]}
    record = run.record.to_dict()
    bounds = [float(found[1]) for one in lines if (found := BOUND.search(one))]
    train, settings = record["train"], record["recipe"]
    return entry | {
        "bound_gib": bounds[0] if bounds else None, "reserved_gib": round(record["peak_memory_bytes"] / GIB, 2),
        "rows": settings["micro_batch_size"], "checkpointing": settings["gradient_checkpointing"],
        "steps": train["steps"], "tokens": train["tokens"], "cuda_graph": train["cuda_graph"],
        "cuda_graph_refused": train.get("cuda_graph_refused"), "loss": train["loss"], **trained(run.folder),
        "timings_s": record["timings_s"], "settings": settings, "hardware": record["hardware"],
        "versions": record["versions"],
    }  # fmt: skip


def line(one: dict[str, Any]) -> str:
    """One training for the eye."""
    start = f"{one['shape']:16} {one['recipe'].partition(':')[0]:8}"
    if "error" in one:
        return f"{start} {one['error']}"
    return (
        f"{start} {one['step_s']} s a step, reserved {one['reserved_gib']} GiB (bound {one['bound_gib']}), "
        f"{one['rows']} rows at once, checkpointing {one['checkpointing']}, captured {one['cuda_graph']}, "
        f"loss {one['loss'][0]:.2f} -> {one['loss'][-1]:.2f}, {one['not_finite']} not finite"
    )


def main(argv: Sequence[str] | None = None) -> None:
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("home", type=Path, help="where the shapes are written, one at a time")
    parser.add_argument("out", type=Path)
    parser.add_argument("--shapes", nargs="+", choices=SHAPES, default=list(SHAPES)[:4])
    parser.add_argument("--recipes", nargs="+", default=RECIPES, help="as recipes.recipe_of takes them")
    parser.add_argument("--data", default="self_cognition.json")
    parser.add_argument("--questions", type=Path, help="a run's questions.jsonl, for recipes that take questions")
    parser.add_argument("--small", action="store_true")
    options = parser.parse_args(argv)
    told: dict[str, Any] = {
        "what": "training at the shapes of other families, random weights, the embedded model's tokenizer",
        "date": datetime.now(UTC).strftime("%Y-%m-%d"), "small": options.small, "models": {}, "entries": [],
    }  # fmt: skip
    options.home.mkdir(parents=True, exist_ok=True)
    for shape in options.shapes:
        with tempfile.TemporaryDirectory(prefix=f"{shape}-", dir=options.home) as folder:
            model, output = Path(folder, shape), Path(folder, "output")
            try:
                made = told["models"][shape] = make(model, SHAPES[shape], small=options.small)
            except Exception as error:  # noqa: BLE001  # another shape may do
                what = f"{type(error).__name__}: {error}"
                entries: Iterable[dict[str, Any]] = [{"shape": shape, "recipe": "none", "error": what}]
            else:
                entries = (
                    measure(shape, spec, options, model, output, thinks=made["thinks"]) for spec in options.recipes
                )
            for entry in entries:
                told["entries"].append(entry)
                options.out.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
                print(line(entry), flush=True)
            shutil.rmtree(model, ignore_errors=True)


if __name__ == "__main__":
    main()
