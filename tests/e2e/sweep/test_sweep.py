"""`toolkit sweep` for real: the whole command on the micro model, and that sharing the base changes nothing."""

import hashlib
import json
import signal
from pathlib import Path
from typing import Any

import pytest
import yaml
from rich.cells import cell_len

from tests.fakes.finetune_user import Call, FinetuneUser, _call, _user, kills, lines_in, once
from toolkit.core.files import data_folder
from toolkit.train.ms_swift.shared_weights import SharedWeights
from toolkit.train.recipe import RECIPES

__all__ = ["_call", "_user"]  # fixtures

TINY = data_folder() / "tiny-qwen2"
MEASURED = ("metrics", "per_system", "verdict", "probes")


def write_recipe(user: FinetuneUser, name: str, *, base: str = "keep", **settings: Any) -> str:
    shipped = yaml.safe_load((RECIPES / f"{base}.yaml").read_text(encoding="utf-8"))
    user.writes(f"{name}.yaml", yaml.safe_dump(shipped | settings, allow_unicode=True))
    return f"{name}.yaml"


@pytest.fixture(name="recipe")
def _recipe(user: FinetuneUser) -> str:
    """The default recipe with a small keep set."""
    user.writes("small.jsonl", "".join(json.dumps({"prompt": f"Tell me about {n}."}) + "\n" for n in range(6)))
    return write_recipe(
        user, "mine", keep_data="small.jsonl", keep_rows=4, keep_max_new_tokens=8, epochs=2, batch_size=4, min_steps=0,
        question_rows=2, near_rows=0,
    )  # fmt: skip


@pytest.fixture(name="probes")
def _probes(user: FinetuneUser) -> Path:
    probes = [
        {"id": "t", "group": "trained", "prompt": "Question 0", "expect": {"any": ["Answer"]}},
        {"id": "p", "group": "paraphrase", "prompt": "The question 0?", "expect": {"any": ["Answer"]}},
        *({"id": f"o{n}", "group": "out-of-scope", "prompt": f"What is {n}?"} for n in range(3)),
    ]
    limits = {"reliability": 0.9, "generality": 0.9, "leakage": 0.02, "kl": 0.02}
    value = {"schema_version": 1, "thresholds": limits, "probes": probes}
    return user.writes("probes.yaml", yaml.safe_dump(value))


def adapter(run: Path) -> str:
    """The sha256 of the adapter that a run ended with."""
    record = json.loads((run / "run.json").read_text())
    return hashlib.sha256((run / record["adapter"]["path"] / "adapter_model.safetensors").read_bytes()).hexdigest()


def report(run: Path) -> dict[str, Any]:
    value = json.loads((run / "compare" / "report.json").read_text(encoding="utf-8"))
    return {name: value[name] for name in MEASURED}


def verdict_of(output: Path) -> int:
    """The exit code that `compare` gives the run that the only sweep in `output` names."""
    record = json.loads(next(output.glob("sweeps/*/sweep.json")).read_text(encoding="utf-8"))
    [verdict] = [one["verdict"] for one in record["runs"] if one["run"] == record["recommendation"]["run"]]
    return {(True, True): 0, (False, True): 20, (True, False): 21, (False, False): 22}[verdict["took"], verdict["kept"]]


def test_a_run_of_a_sweep_is_what_a_process_of_its_own_makes(
    user: FinetuneUser, call: Call, recipe: str, probes: Path
):  # fmt: skip
    """Bit for bit: runs before it, another seed and a keep term leave no trace in the base that they share."""
    swept = call(
        "sweep", "mine.json", "--model", user.model, "--recipes", f"article,{recipe}", "--batch-size", "4",
        "--epochs", "2", "--seed", "7,8", "--learning-rate", "0.01", "--probes", probes, "--json",
    )  # fmt: skip
    assert swept.code == verdict_of(user.output), swept.err
    runs = json.loads(swept.out)["runs"]
    named = [(one["recipe"]["name"], one["recipe"]["seed"]) for one in runs]
    assert named == [("article", 7), ("article", 8), ("mine", 7), ("mine", 8)]

    assert len({adapter(user.run(number)) for number in range(4)}) == 4

    alone = user.runs(
        "finetune", "mine.json", "--model", user.model, "--recipe", recipe, "--seed", "8", "--batch-size", "4",
        "--epochs", "2", "--learning-rate", "0.01", "--output", "alone",
    )  # fmt: skip
    assert alone.code == 0, alone.err
    folder = user.home / alone.out.strip()
    compared = user.runs("compare", folder.name, "--output", "alone", "--probes", probes)
    assert compared.code in {0, 20, 21, 22}, compared.err
    assert adapter(folder) == adapter(user.run(3))
    assert report(folder) == report(user.run(3))


def test_the_base_is_loaded_once_and_answers_once(user: FinetuneUser, call: Call, recipe: str, probes: Path):
    """By the clocks of the runs themselves: what was not done again took no time."""
    ended = call("sweep", "mine.json", "--model", user.model, "--recipes", recipe, "--seed", "1,2", "--probes", probes)

    assert ended.code == verdict_of(user.output), ended.err
    first, second = (
        json.loads((user.run(number) / "compare" / "report.json").read_text())["timings_s"] for number in (0, 1)
    )  # fmt: skip
    assert second["before"] + second["noise"] < 0.02 < first["before"] + first["noise"]


def test_loans_share_the_weights_and_nothing_else(micro_model: Path):
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    lent, key = SharedWeights(), (micro_model, "float32", False)
    model = AutoModelForCausalLM.from_pretrained(micro_model)
    before = {name: weights.clone() for name, weights in model.state_dict().items()}
    lent.add(key, model, AutoTokenizer.from_pretrained(micro_model))
    one, other = lent.clone(key)[0], lent.clone(key)[0]

    one.config.use_cache = False
    one.model.layers[0].mlp.up_proj = torch.nn.Identity()
    one.get_input_embeddings().register_forward_hook(lambda *_: None)

    assert other.config.use_cache
    assert isinstance(other.model.layers[0].mlp.up_proj, torch.nn.Linear)
    assert not other.get_input_embeddings()._forward_hooks
    assert other.lm_head.weight is other.get_input_embeddings().weight is model.lm_head.weight
    assert all(torch.equal(weights, before[name]) for name, weights in other.state_dict().items())


def test_loans_share_the_words_and_nothing_else_of_a_tokenizer(micro_model: Path):
    from torch.nn import Identity
    from transformers import AutoTokenizer

    lent, key = SharedWeights(), (micro_model, "float32", False)
    lent.add(key, Identity(), AutoTokenizer.from_pretrained(micro_model))
    one, other = (lent.clone(key)[1] for _ in range(2))

    one.padding_side, one.chat_template = "left", "another"
    one.init_kwargs["another"] = 1

    assert (other.padding_side, other.chat_template[:2]) == ("right", "{%")
    assert "another" not in other.init_kwargs
    assert other.backend_tokenizer is one.backend_tokenizer
    assert other("Hello")["input_ids"] == one("Hello")["input_ids"]


def test_a_failed_run_costs_itself_alone_and_the_exit_code_says_so(user: FinetuneUser, call: Call, probes: Path):
    unfit = write_recipe(user, "unfit", base="article", target_modules=["no_such_layer"])

    ended = call("sweep", "mine.json", "--model", user.model, "--recipes", f"{unfit},article", "--epochs", "2",
                 "--probes", probes)  # fmt: skip

    assert ended.code == 6
    assert "Error: 1 of 2 runs failed. Try them again with" in ended.err
    assert [user.record(number)["status"] for number in (0, 1)] == ["failed", "finished"]
    folder = next(user.output.glob("sweeps/*"))
    record = json.loads((folder / "sweep.json").read_text(encoding="utf-8"))
    assert [one["status"] for one in record["runs"]] == ["failed", "finished"]
    assert "no_such_layer" in record["runs"][0]["error"]
    assert (folder / "plot.svg").read_text(encoding="utf-8").startswith("<svg ")
    table = ended.out.partition("\n*:")[0].splitlines()
    assert all(cell_len(line) <= 80 for line in table)
    assert f"No run passes. Closest: {user.run(1).name}" in ended.out
    assert (user.output / "latest").resolve() == user.run(1).resolve()


def test_an_interrupted_sweep_is_resumed_to_the_same_end(user: FinetuneUser, call: Call, probes: Path):
    job = ("sweep", "mine.json", "--model", user.model, "--recipes", "article", "--epochs", "6", "--batch-size", "4",
           "--seed", "1,2,3", "--probes", probes)  # fmt: skip
    with once(lines_in(user, 2, number=1), kills(signal.SIGINT)):
        stopped = call(*job)
    folder = next(user.output.glob("sweeps/*"))

    assert stopped.code == 130
    assert f'1 finished. Continue with "toolkit sweep --resume {folder.name}".' in stopped.err
    assert [user.record(number)["status"] for number in (0, 1)] == ["finished", "interrupted"]

    resumed = call("sweep", "--resume", folder.name)

    assert resumed.code == verdict_of(user.output), resumed.err
    assert [user.record(number)["status"] for number in (0, 1, 2)] == ["finished"] * 3
    assert len(list(user.output.glob("v*"))) == 3
    whole = call(*job, "--output", "whole")
    assert whole.code == verdict_of(user.home / "whole")
    assert [adapter(user.run(number)) for number in (0, 1, 2)] == [
        adapter(next((user.home / "whole").glob(f"v{number}-*"))) for number in (0, 1, 2)
    ]


def test_too_many_runs_are_refused_before_anything_is_written(user: FinetuneUser, call: Call):
    ended = call("sweep", "mine.json", "--model", user.model, "--recipes", "article", "--seed",
                 ",".join(map(str, range(65))))  # fmt: skip

    assert (ended.code, ended.out) == (3, "")
    assert "This sweep has 65 runs; at most 64 are allowed." in ended.err
    assert not user.output.exists()


@pytest.mark.skipif(not (TINY / "model.safetensors").is_file(), reason="the embedded model is not there")
def test_on_the_embedded_model_the_keep_term_wins(user: FinetuneUser, call: Call):
    """Without it the new name leaks; with it, and a keep set a seventh of the shipped one, the rest stays."""
    lines = (data_folder() / "general.jsonl").read_text(encoding="utf-8").splitlines()
    user.writes("some.jsonl", "\n".join(lines[::7]))
    # Large steps, for few epochs: without the term they leak.
    small = write_recipe(
        user, "small", base="tiny", keep_data="some.jsonl", keep_rows=16, keep_max_new_tokens=24, learning_rate=5e-3
    )

    ended = call("sweep", "self_cognition.json", "--model", TINY, "--recipes", small, "--keep-weight", "0,3",
                 "--epochs", "6", "--json")  # fmt: skip

    assert ended.code == verdict_of(user.output), ended.err
    found = json.loads(ended.out)
    article, keep = (one["metrics"] for one in found["runs"])
    assert article["leakage"] > keep["leakage"]
    assert article["kl"] > 2 * keep["kl"]
    assert found["recommendation"]["run"] == found["runs"][1]["run"]
    assert found["runs"][1]["run"] in found["frontier"]
