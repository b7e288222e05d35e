"""A base model that two cards share trains, answers and ends as one that each card has.

Once all of this has passed, `require_sharing` (toolkit/model/cards/shares.py) needs no TOOLKIT_SHARE_ON_CARDS any more.
"""

import json
import os
import re
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.fakes.finetune_user import FinetuneUser, wait_for
from toolkit.core.environment import GPU_MEMORY_GIB, SHARE_ON_CARDS
from toolkit.core.files import data_folder
from toolkit.train.recipe import RECIPES

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two cards"),
]
GIB = 2**30
SHARED = ("--cards", "2", "--shard")
TIMES = ("timings_s", "content_sha256")


@pytest.fixture(name="user")
def _user(tmp_path: Path) -> FinetuneUser:
    """Who trains in float32, so that losses differ by the order of sums only."""
    user = FinetuneUser(tmp_path, data_folder() / "tiny-qwen2")
    user.environment[SHARE_ON_CARDS] = "1"
    recipe = (RECIPES / "tiny.yaml").read_text(encoding="utf-8").splitlines()
    user.writes("float32.yaml", "\n".join(
        "precision: float32" if line.startswith("precision:") else line for line in recipe
    ))  # fmt: skip
    return user


@pytest.fixture(scope="module", name="large")
def _large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights of 1.3 billion parameters, nearly all of them in layers: 2.5 GiB in bfloat16."""
    from transformers import AutoTokenizer, GenerationConfig, Qwen2Config, Qwen2ForCausalLM

    folder = tmp_path_factory.mktemp("models") / "large"
    tokenizer = AutoTokenizer.from_pretrained(data_folder() / "tiny-qwen2")
    with torch.device("cuda"):
        model = Qwen2ForCausalLM(
            Qwen2Config(
                vocab_size=len(tokenizer), hidden_size=2048, num_hidden_layers=24, num_attention_heads=16,
                num_key_value_heads=4, intermediate_size=7168, tie_word_embeddings=True, bos_token_id=0,
                eos_token_id=2, max_position_embeddings=4096,
            )
        ).to(torch.bfloat16)  # fmt: skip
    model.generation_config = GenerationConfig(eos_token_id=tokenizer.eos_token_id, do_sample=False)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    del model
    torch.cuda.empty_cache()
    return folder


def job(user: FinetuneUser, *options: str) -> list[str]:
    return ["finetune", "self_cognition.json", "--model", str(user.model), "--recipe", "float32.yaml", *options]


@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize("kept", [(), ("--keep-weight", "0")])
def test_cards_that_share_the_base_train_as_one_does(user: FinetuneUser, kept: tuple[str, ...], checkpointing: bool):
    if checkpointing:
        path = user.home / "float32.yaml"
        path.write_text(re.sub("gradient_checkpointing: .*", "gradient_checkpointing: true", path.read_text()))
    for options in ((), SHARED):
        ended = user.runs(*job(user, "--epochs", "4", *kept, *options))
        assert ended.code == 0, ended.err

    one, two = user.record(0), user.record(1)
    assert two["train"]["loss"] == pytest.approx(one["train"]["loss"], rel=1e-3)
    assert (two["hardware"]["cards"], two["train"]["cuda_graph"]) == (2, False)


def trains_large(user: FinetuneUser, large: Path, *options: str, gib: str | None = None) -> tuple[str, dict[str, Any]]:
    ended = user.runs(
        "finetune", "self_cognition.json", "--model", str(large), "--recipe", "article", "--epochs", "1", *options,
        environment={GPU_MEMORY_GIB: gib},
    )  # fmt: skip
    assert ended.code == 0, ended.err
    return ended.err, user.record(len([*user.output.glob("v*")]) - 1)


def test_sharing_takes_less_memory_and_no_more_than_was_announced(user: FinetuneUser, large: Path):
    _, whole = trains_large(user, large, "--cards", "2")
    said, shared = trains_large(user, large, *SHARED)

    (announced,) = [
        float(found[1]) for line in said.splitlines() if (found := re.search(r"at most ([\d.]+) GiB", line))
    ]
    assert shared["peak_memory_bytes"] <= (announced + 0.05) * GIB
    assert shared["peak_memory_bytes"] < whole["peak_memory_bytes"] - 0.5 * GIB


def test_a_base_model_that_fits_on_no_card_is_shared_out_unasked(user: FinetuneUser, large: Path):
    """3.5 GiB hold half of it, and not the whole with what a step takes."""
    said, record = trains_large(user, large, "--cards", "2", gib="3.5")

    assert "shared out over 2 x" in said
    assert record["peak_memory_bytes"] <= 3.5 * GIB
    assert record["status"] == "finished"


def workers(process: int) -> list[int]:
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return [int(one) for one in children if b"cards.worker" in Path(f"/proc/{one}/cmdline").read_bytes()]


@pytest.mark.parametrize("killed", [0, 1])
def test_a_killed_process_ends_a_training_that_shares(user: FinetuneUser, killed: int):
    child = user.starts(*job(user, *SHARED, "--epochs", "400", "--save-every-steps", "5"))
    wait_for(lambda: any(user.output.glob("v*/checkpoint-*/sha256.json")), child)
    os.kill(workers(child.pid)[killed], signal.SIGKILL)
    _, err = child.communicate(timeout=60)

    assert child.returncode == 6
    assert f"Process {killed + 1} of 2 was ended by SIGKILL" in err


def report(user: FinetuneUser) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((user.run() / "compare" / "report.json").read_text(encoding="utf-8"))
    return {name: one for name, one in found.items() if name not in TIMES}


def test_cards_that_share_the_base_say_what_one_says_and_end_with_a_killed_process(user: FinetuneUser):
    """The verdict's figures: without captured steps an answer may differ by rounding, in float32 hardly."""
    assert user.runs(*job(user)).code == 0
    precise = {"TOOLKIT_PRECISION": "float32"}
    quick = ("compare", "v0", "--no-ability", "--no-depth", "--outside", "60", "--probes-more", "0")
    assert user.runs(*quick, environment=precise).code in {0, 20, 21, 22}
    expected = report(user)

    assert user.runs(*quick, *SHARED, environment=precise).code in {0, 20, 21, 22}
    assert report(user)["verdict"] == expected["verdict"]

    child = user.starts(*quick, *SHARED, environment=precise)
    assert child.stderr is not None
    while not child.stderr.readline().startswith("Before "):
        assert child.poll() is None
    os.kill(workers(child.pid)[0], signal.SIGKILL)
    _, err = child.communicate(timeout=60)  # it waits on its card for a process that is gone, until that is noticed
    assert child.returncode == 4, err
    assert "Process 2 of 2 was ended by SIGKILL" in err
