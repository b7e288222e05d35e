"""A training on a machine without the base model: when its first step comes, over the time that the bytes need.

    python bench/arrive.py OUT.json --rate 4 --line-s 60 --repeat 3

A hub on loopback whose line carries `--rate` MB/s, all connections together, gives a model of Qwen2's shape with
random weights, about as large as that line carries in `--line-s`. `after`: `toolkit download`, then `toolkit finetune`.
`beside`: both at once, as `make finetune` starts them for an image without weights. `there`: the model is there, so
what is left is the training's own way to its first step. They take turns. `ratio`: first step over `line_s`, the bytes
over the rate. The goal is 1.3, printed and never asserted. Starting the download and what follows the last byte
(loading, encoding, one step) do not depend on the line: the ratio is that of a line of this length, and lower for a
longer one. Compare with `there`.
Each run is printed and OUT.json is written as it ends; a run without a first step after `--limit-s` ends the script.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Timer
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.fakes.hub_server import HubServer  # noqa: E402
from tests.fakes.hub_user import lock_of  # noqa: E402

GOAL = 1.3
TINY = ROOT / "data" / "tiny-qwen2"
WAYS = ("after", "beside", "there")
FIRST_STEP = re.compile(r"Training [1-9]\d*/")
TRAINING = ["--recipe", "article", "--epochs", "0.2"]
WIDTHS, MOST_LAYERS = (256, 512, 1024, 2048), 28
ELEMENT_BYTES = 2


def shape(wanted_bytes: float, vocabulary: int) -> tuple[int, int]:
    """Hidden size and layers of a model of about so many bytes: the narrowest that is not too deep."""
    for hidden in WIDTHS:
        # Of a layer: queries and outputs, keys and values of 2 of 8 heads, an MLP of 3 times 4 hidden sizes.
        layer = ELEMENT_BYTES * hidden**2 * (2 + 2 / 4 + 12)
        layers = max(round((wanted_bytes - ELEMENT_BYTES * vocabulary * hidden) / layer), 1)
        if layers <= MOST_LAYERS:
            return hidden, layers
    return WIDTHS[-1], MOST_LAYERS


def make_model(folder: Path, wanted_bytes: float) -> None:
    """Random weights behind the embedded model's tokenizer."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    hidden, layers = shape(wanted_bytes, json.loads((TINY / "config.json").read_text())["vocab_size"])
    config = AutoConfig.from_pretrained(
        TINY, hidden_size=hidden, intermediate_size=4 * hidden, num_hidden_layers=layers, num_attention_heads=8,
        num_key_value_heads=2, head_dim=hidden // 8, layer_types=["full_attention"] * layers,
    )  # fmt: skip
    torch.manual_seed(1)
    AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16).save_pretrained(folder)
    for path in TINY.iterdir():
        if path.suffix in {".json", ".jinja", ".txt"} and not (folder / path.name).exists():
            shutil.copyfile(path, folder / path.name)


def home_with_lock(folder: Path, files: Mapping[str, bytes]) -> Path:
    """A data folder that knows the model, and an empty place to work in."""
    data = folder / "data"
    shutil.copytree(ROOT / "data", data, ignore=shutil.ignore_patterns("tiny-qwen2"))
    (data / "locks" / "small-model.json").write_text(json.dumps(lock_of(dict(files))), encoding="utf-8")
    (folder / "work").mkdir()
    return folder / "work"


def measure(way: str, work: Path, environment: Mapping[str, str], limit_s: float) -> dict[str, Any]:
    """Seconds from the command to the last byte and to the first step. What was fetched before is removed first.

    The training is ended at its first step, or, as what was started before it, after `limit_s`.
    """
    toolkit, models = [sys.executable, "-m", "toolkit"], work / "models"
    if way != "there":
        shutil.rmtree(models, ignore_errors=True)
    shutil.rmtree(work / "output", ignore_errors=True)
    download = [*toolkit, "download", "small-model"]
    train = [*toolkit, "finetune", "self_cognition.json", "--model", "small-model", *TRAINING]
    said: list[str] = []
    told: dict[str, Any] = {"way": way, "load_before": round(os.getloadavg()[0], 2)}
    began = time.perf_counter()
    silent: dict[str, Any] = {"cwd": work, "env": environment, "stdout": subprocess.DEVNULL}
    with ExitStack() as stack:
        fetching = None
        if way != "there":
            fetching = stack.enter_context(ended(subprocess.Popen(download, stderr=subprocess.DEVNULL, **silent)))
        if fetching is not None and way == "after":
            fetching.wait(limit_s)
            told["arrived_s"] = round(time.perf_counter() - began, 2)
        while way == "beside" and not (models / "Small-Model.partial" / ".lock").exists():
            if fetching is None or fetching.poll() is not None:
                sys.exit(f"{' '.join(download)} has ended without a beginning")
            time.sleep(0.02)
        training = stack.enter_context(ended(subprocess.Popen(train, stderr=subprocess.PIPE, text=True, **silent)))
        late = Timer(limit_s, training.terminate)
        late.start()
        for line in training.stderr or ():
            said.append(line)
            if line.startswith("waited"):
                told["arrived_s"] = round(time.perf_counter() - began, 2)
            elif FIRST_STEP.match(line):
                told["first_step_s"] = round(time.perf_counter() - began, 2)
                break
        late.cancel()
        if "first_step_s" not in told:
            sys.exit("".join([f"{way}: no first step within {limit_s:g} s\n", *said[-20:]]))
    return told


@contextmanager
def ended(process: "subprocess.Popen[str]") -> Iterator["subprocess.Popen[Any]"]:
    """The process, which is ended at the end if it still runs."""
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        process.communicate()


def main() -> None:
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--rate", type=float, default=4.0, help="of the line, MB/s")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS)
    parser.add_argument("--line-s", type=float, default=60.0, help="how long the line needs for the model")
    parser.add_argument("--limit-s", type=float, default=600.0, help="for a run")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        make_model(home / "model", given.rate * 1e6 * given.line_s)
        files = {path.name: path.read_bytes() for path in sorted((home / "model").iterdir())}
        shutil.rmtree(home / "model")
        line_s = sum(map(len, files.values())) / (given.rate * 1e6)
        work = home_with_lock(home, files)
        told: dict[str, Any] = {
            "bytes": sum(map(len, files.values())), "rate_mb_s": given.rate, "line_s": round(line_s, 2), "goal": GOAL,
            "files_sha256": hashlib.sha256(b"".join(map(bytes, files.values()))).hexdigest(), "cores": os.cpu_count(),
            "training": TRAINING, "runs": [],
        }  # fmt: skip
        arriving = given.repeat * len(set(given.ways) - {"there"})
        print(f"{line_s:.0f} s of line a model: at least {arriving * line_s / 60:.0f} minutes", flush=True)
        with HubServer(files=files, bytes_per_s=given.rate * 1e6) as hub:
            environment = {name: value for name, value in os.environ.items() if name != "HF_HUB_OFFLINE"} | {
                "TOOLKIT_DATA": str(home / "data"), "HF_ENDPOINT": hub.url, "NO_PROXY": "127.0.0.1,localhost",
                "XDG_CACHE_HOME": str(home / "cache"), "PYTHONPATH": str(ROOT),
            }  # fmt: skip
            for way in [way for _ in range(given.repeat) for way in given.ways]:
                run = measure(way, work, environment, given.limit_s)
                run["ratio"] = round(run["first_step_s"] / line_s, 3)
                told["runs"].append(run)
                given.out.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
                print(
                    f"{way:7} first step {run['first_step_s']:6.1f} s, {run['ratio']:.2f} × the line (goal {GOAL})",
                    flush=True,
                )


if __name__ == "__main__":
    main()
