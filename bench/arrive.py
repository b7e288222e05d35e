"""A training on a machine without the base model: when its first step comes, over the time that the bytes need.

    python bench/arrive.py OUT.json --rate 20 --repeat 3

A hub on loopback whose line carries `--rate` MB/s, all connections together, gives a model of Qwen2's shape with
random weights. `after`: `toolkit download`, then `toolkit finetune`. `beside`: both at once, as `make finetune` starts
them for an image without weights. `there`: the model is there, so what is left is the training's own way to its first
step. They take turns. `ratio`: first step over `line_s`, the bytes over the rate. The goal is 1.3, printed and never
asserted. What follows the last byte (loading, encoding, one step) does not depend on the line: on a busy machine choose
a slow one, and compare with `there`.
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
from collections.abc import Mapping
from pathlib import Path
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


def make_model(folder: Path, hidden: int, layers: int) -> None:
    """Random weights behind the embedded model's tokenizer."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

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


def measure(way: str, work: Path, environment: Mapping[str, str]) -> dict[str, Any]:
    """Seconds from the command to the last byte and to the first step. What was fetched before is removed first."""
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
    fetching = None if way == "there" else subprocess.Popen(download, stderr=subprocess.DEVNULL, **silent)
    if fetching is not None and way == "after":
        fetching.wait()
        told["arrived_s"] = round(time.perf_counter() - began, 2)
    while way == "beside" and not (models / "Small-Model.partial" / ".lock").exists():
        time.sleep(0.02)
    with subprocess.Popen(train, stderr=subprocess.PIPE, text=True, **silent) as training:
        assert training.stderr is not None
        for line in training.stderr:
            said.append(line)
            if FIRST_STEP.match(line):
                told.setdefault("first_step_s", round(time.perf_counter() - began, 2))
            elif line.startswith("waited"):
                told["arrived_s"] = round(time.perf_counter() - began, 2)
    if fetching is not None:
        fetching.wait()
    if "first_step_s" not in told:
        sys.exit("".join(said[-20:]))
    told["exit_codes"] = [training.returncode, *([] if fetching is None else [fetching.returncode])]
    return told


def main() -> None:
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--rate", type=float, default=20.0, help="MB/s")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS)
    parser.add_argument("--hidden", type=int, default=1024)
    parser.add_argument("--layers", type=int, default=24)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        make_model(home / "model", given.hidden, given.layers)
        files = {path.name: path.read_bytes() for path in sorted((home / "model").iterdir())}
        shutil.rmtree(home / "model")
        line_s = sum(map(len, files.values())) / (given.rate * 1e6)
        work = home_with_lock(home, files)
        with HubServer(files=files, bytes_per_s=given.rate * 1e6) as hub:
            environment = {name: value for name, value in os.environ.items() if name != "HF_HUB_OFFLINE"} | {
                "TOOLKIT_DATA": str(home / "data"), "HF_ENDPOINT": hub.url, "NO_PROXY": "127.0.0.1,localhost",
                "XDG_CACHE_HOME": str(home / "cache"), "PYTHONPATH": str(ROOT),
            }  # fmt: skip
            runs = [measure(way, work, environment) for _ in range(given.repeat) for way in given.ways]
    for run in runs:
        run["ratio"] = round(run["first_step_s"] / line_s, 3)
        print(f"{run['way']:7} first step {run['first_step_s']:6.1f} s, {run['ratio']:.2f} × the line (goal {GOAL})")
    told = {
        "bytes": sum(map(len, files.values())), "rate_mb_s": given.rate, "line_s": round(line_s, 2), "goal": GOAL,
        "files_sha256": hashlib.sha256(b"".join(map(bytes, files.values()))).hexdigest(), "cores": os.cpu_count(),
        "training": TRAINING, "runs": runs,
    }  # fmt: skip
    given.out.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
