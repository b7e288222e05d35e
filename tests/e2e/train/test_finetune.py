"""`toolkit finetune` on the micro model: what a run leaves, that it repeats, and that a resumed one goes on exactly."""

import hashlib
import json
import signal
from pathlib import Path

import pytest

from tests.fakes.finetune_user import ROWS, Call, Ended, FinetuneUser, _call, _user, end, kills, lines_in, once
from toolkit.core.files import data_folder
from toolkit.data.dataset import Row
from toolkit.data.encoding import IGNORED
from toolkit.data.formats import Message
from toolkit.runs.record import RunRecord
from toolkit.runs.run import write_record
from toolkit.train.ms_swift import encoder

__all__ = ["_call", "_user"]  # fixtures

SETTINGS = {
    "--epochs": ("epochs", 2.0),
    "--learning-rate": ("learning_rate", 0.001),
    "--lora-rank": ("lora_rank", 4),
    "--lora-alpha": ("lora_alpha", 16),
    "--batch-size": ("batch_size", 4),
    "--micro-batch-size": ("micro_batch_size", 2),
    "--max-length": ("max_length_tokens", 300),
    "--warmup-ratio": ("warmup_ratio", 0.25),
    "--save-every-steps": ("save_every_steps", 3),
    "--seed": ("seed", 7),
    "--system": ("system", "You are terse."),
}


@pytest.fixture(scope="module", name="shell")
def _shell(tmp_path_factory: pytest.TempPathFactory, micro_model: Path) -> FinetuneUser:
    return FinetuneUser(tmp_path_factory.mktemp("shell"), micro_model)


@pytest.fixture(scope="module", name="finished")
def _finished(shell: FinetuneUser) -> Ended:
    """One run by the console script itself, with every setting given."""
    options = [str(word) for option, (_, value) in SETTINGS.items() for word in (option, value)]
    return shell.runs("finetune", "mine.json", "--model", shell.model, "--recipe", "article", *options)


def adapter_sha256(user: FinetuneUser, number: int) -> str:
    record = user.record(number)
    path = user.run(number) / record["adapter"]["path"] / "adapter_model.safetensors"
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert digest == record["adapter"]["sha256"]
    return digest


def test_stdout_is_the_runs_folder_and_nothing_else(shell: FinetuneUser, finished: Ended):
    assert (finished.code, finished.out) == (0, f"output/{shell.run().name}\n")


def test_stderr_tells_of_the_choices_and_of_nothing_else(finished: Ended):
    told = [line.partition(":")[0] for line in finished.err.splitlines()]

    assert [line for line in told if not line.startswith(("Training ", "4 steps, loss "))] == [
        "run", "base model", "device", "a step", "training", "Next",
    ]  # fmt: skip


def test_run_json_is_as_the_design_says(shell: FinetuneUser, finished: Ended):
    record = shell.record()

    assert (record["schema_version"], record["run_id"], record["status"]) == (1, shell.run().name, "finished")
    assert record["command"].startswith("toolkit finetune mine.json --model ")
    assert record["base_model"] | {"path": ""} == {
        "name": shell.model.name, "path": "", "repository": None, "revision": None, "lock_sha256": None,
        "load_in_4bit": False, "family": "qwen2",
    }  # fmt: skip
    data = record["data"]
    assert (data["sha256"], data["rows"], data["dropped"]) == (
        hashlib.sha256(shell.data.read_bytes()).hexdigest(),
        8,
        0,
    )
    assert (record["versions"]["ms_swift"], record["hardware"]["device"]) == ("4.6.0", "cpu")
    assert all(record["timings_s"][name] >= 0 for name in ("import", "load", "data", "train", "save", "total"))
    assert record["peak_memory_bytes"] > 0
    assert (record["train"]["steps"], len(record["train"]["loss"])) == (4, 4)
    assert record["train"]["tokens"] == 2 * data["epoch_tokens"]
    assert record["adapter"]["path"] == "checkpoint-4"
    assert record["adapter"]["sha256"] == adapter_sha256(shell, 0)
    assert (record["error"], record["started_at"] <= record["finished_at"]) == (None, True)


def test_every_option_lands_in_run_json(shell: FinetuneUser, finished: Ended):
    recipe = shell.record()["recipe"]

    assert {name: recipe[name] for name, _ in SETTINGS.values()} == dict(SETTINGS.values())
    assert shell.record()["seed"] == 7


def test_each_step_is_logged_once(shell: FinetuneUser, finished: Ended):
    assert shell.logged_steps() == [1, 2, 3, 4]


def test_latest_is_a_relative_link_to_the_run(shell: FinetuneUser, finished: Ended):
    assert (shell.output / "latest").readlink() == Path(shell.run().name)


def test_the_adapter_is_a_plain_peft_adapter(shell: FinetuneUser, finished: Ended):
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    folder = shell.run() / "checkpoint-4"
    model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(shell.model), str(folder))

    config = model.peft_config["default"]
    assert (config.r, config.lora_alpha, config.base_model_name_or_path) == (4, 16, shell.model.name)
    assert any(float(weights.abs().max()) > 0 for name, weights in model.named_parameters() if "lora_B" in name)
    assert not (folder / "optimizer.pt").exists()  # nothing resumes from a finished run


def test_a_finished_run_is_not_resumed(shell: FinetuneUser, finished: Ended, call: Call):
    ended = call("finetune", "--resume", "v0", "--output", shell.output)

    assert (ended.code, ended.out) == (3, "")
    assert "is finished. Start a new run" in ended.err


def test_the_seed_repeats_a_run_bit_by_bit_and_another_does_not(user: FinetuneUser, call: Call):
    for seed in ("1", "1", "2"):
        assert call(*user.job("--epochs", "2", "--seed", seed)).code == 0

    assert adapter_sha256(user, 0) == adapter_sha256(user, 1)
    assert adapter_sha256(user, 0) != adapter_sha256(user, 2)
    assert user.record(0)["train"] == user.record(1)["train"]


def test_data_is_looked_up_here_then_among_the_shipped(user: FinetuneUser, call: Call, monkeypatch: pytest.MonkeyPatch):
    shipped = user.home / "shipped"
    (shipped / "locks").mkdir(parents=True)
    (shipped / "theirs.json").write_text(json.dumps(ROWS[:3]))
    (shipped / "mine.json").write_text(json.dumps(ROWS[:3]))
    monkeypatch.setenv("TOOLKIT_DATA", str(shipped))

    assert call(*user.job("--epochs", "1", data="theirs.json")).code == 0
    assert call(*user.job("--epochs", "1", data="mine.json")).code == 0
    assert user.record(0)["data"]["path"] == str(shipped / "theirs.json")
    assert (user.record(1)["data"]["path"], user.record(1)["data"]["rows"]) == (str(user.data), 8)


def test_a_mix_is_trained_on_as_well(user: FinetuneUser, call: Call):
    user.writes("more.jsonl", "".join(json.dumps({"query": f"q{n}", "response": "r"}) + "\n" for n in range(9)))

    assert call(*user.job("--epochs", "1", "--mix", "more.jsonl#4")).code == 0
    assert user.record()["data"]["mix"][0]["rows"] == 4
    assert user.record()["train"]["steps"] == 3  # 12 rows, 4 a step


def test_a_row_over_the_maximum_is_left_out_with_a_warning(user: FinetuneUser, call: Call):
    user.writes("long.json", json.dumps([*ROWS, {"instruction": "Too long", "output": "x" * 600}]))

    ended = call(*user.job("--epochs", "1", data="long.json"))

    assert ended.code == 0
    assert "Warning: 1 row over 512 tokens is left out (row 9)." in ended.err
    assert (user.record()["data"]["rows"], user.record()["data"]["dropped"]) == (9, 1)


def test_a_row_of_a_megabyte_is_left_out_in_no_time(user: FinetuneUser, call: Call):
    user.writes("large.json", json.dumps([*ROWS, {"instruction": "Large", "output": "你好 x\n" * 150_000}]))

    ended = call(*user.job("--epochs", "1", data="large.json"))

    assert (ended.code, user.record()["data"]["dropped"]) == (0, 1)
    assert ended.seconds < 30


def uninterrupted_and_interrupted(user: FinetuneUser, call: Call, *options: str) -> Ended:
    """v0 runs through; v1 is stopped by SIGTERM in its sixth epoch or so, and resumed."""
    job = user.job("--epochs", "20", "--micro-batch-size", "2", *options)
    assert call(*job).code == 0
    with once(lines_in(user, 11, number=1), kills(signal.SIGTERM)):
        stopped = call(*job)
    assert (stopped.code, stopped.out) == (130, "")
    assert user.record(1)["status"] == "interrupted"
    return stopped


def test_a_resumed_run_goes_on_as_an_uninterrupted_one_does(user: FinetuneUser, call: Call):
    stopped = uninterrupted_and_interrupted(user, call)

    assert "SIGTERM: saving after this step" in stopped.err
    steps = user.record(1)["train"]["steps"]
    assert 11 <= steps < 40
    assert (user.output / "latest").readlink() == Path(user.run(0).name)
    assert f'Go on with "toolkit finetune --resume {user.run(1).name}"' in stopped.err

    resumed = call("finetune", "--resume", "v1")

    assert (resumed.code, resumed.out.strip()) == (0, f"output/{user.run(1).name}")
    whole, pieced = user.record(0), user.record(1)
    assert (pieced["status"], pieced["resumed_from"]) == ("finished", f"checkpoint-{steps}")
    assert pieced["train"]["loss"] == whole["train"]["loss"]
    assert adapter_sha256(user, 1) == adapter_sha256(user, 0)
    assert user.logged_steps(1) == list(range(1, 41))
    assert (user.output / "latest").readlink() == Path(user.run(1).name)


def test_a_resumed_run_keeps_as_an_uninterrupted_one_does(user: FinetuneUser, call: Call):
    user.writes("keep.jsonl", "".join(json.dumps({"prompt": f"Keep {number}"}) + "\n" for number in range(5)))
    uninterrupted_and_interrupted(
        user, call, "--keep", "keep.jsonl", "--keep-weight", "1", "--keep-rows", "4"
    )  # fmt: skip

    assert call("finetune", "--resume", "v1").code == 0
    assert user.record(1)["train"]["loss"] == user.record(0)["train"]["loss"]
    assert adapter_sha256(user, 1) == adapter_sha256(user, 0)


def test_the_adapter_of_an_interrupted_run_can_be_asked(user: FinetuneUser, call: Call):
    with once(lines_in(user, 4), kills(signal.SIGINT)):
        assert call(*user.job("--epochs", "100")).code == 130

    ended = call("compare", "v0", "--max-new-tokens", "2")

    assert ended.code in {0, 20, 21, 22}
    assert (user.run() / "compare" / "report.json").is_file()


def test_a_run_that_died_behind_its_last_checkpoint_is_finished_by_resuming(user: FinetuneUser, call: Call):
    assert call(*user.job("--epochs", "2")).code == 0
    before = user.record()
    write_record(
        user.run(),
        RunRecord.from_dict(before).with_fields(status="running", train={"steps": 0, "tokens": 0, "loss": []}),
    )
    (user.output / "latest").unlink()

    ended = call("finetune", "--resume", "v0")

    assert (ended.code, user.record()["status"]) == (0, "finished")
    assert user.record()["train"]["loss"] == before["train"]["loss"]
    assert adapter_sha256(user, 0) == before["adapter"]["sha256"]


def test_two_runs_at_once_get_a_folder_each(user: FinetuneUser):
    children = [user.starts(*user.job("--epochs", "2")) for _ in range(2)]
    ended = [end(child) for child in children]

    assert [one.code for one in ended] == [0, 0]
    assert len({one.out for one in ended}) == 2
    assert sorted(path.name.partition("-")[0] for path in user.output.glob("v*")) == ["v0", "v1"]
    assert adapter_sha256(user, 0) == adapter_sha256(user, 1)
    assert (user.output / "latest" / "run.json").is_file()


def conversation(*turns: str, system: str | None = None) -> list[dict[str, str]]:
    messages = [] if system is None else [{"role": "system", "content": system}]
    return messages + [
        {"role": ("user", "assistant")[at % 2], "content": turn} for at, turn in enumerate(turns)
    ]  # fmt: skip


CONVERSATIONS = [
    conversation("你是谁？", "我是一个助手。", system="You are a helpful assistant."),
    conversation("Who are you?", "  An assistant,\nI am.  ", system="你很简洁。"),
    conversation("1", "2", "3", "4", "5", "6", system="Count."),
    conversation("<b>🙂</b> & {{ x }}", "{% y %} \\n", system="s"),
]


@pytest.mark.parametrize("messages", CONVERSATIONS)
def test_training_and_asking_see_the_same_tokens(micro_model: Path, messages: list[dict[str, str]]):
    same_tokens(micro_model, messages)


@pytest.mark.parametrize("messages", [*CONVERSATIONS, conversation("你是谁？", "我是一个助手。")])
def test_the_embedded_model_is_trained_on_the_tokens_that_it_is_asked_with(messages: list[dict[str, str]]):
    same_tokens(data_folder() / "tiny-qwen2", messages)


def same_tokens(model: Path, messages: list[dict[str, str]]) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model)
    row = Row(number=1, messages=tuple(Message(role=one["role"], content=one["content"]) for one in messages))
    [encoded] = encoder(model, 2048).encode([row])
    text = tokenizer.apply_chat_template(messages, tokenize=False)
    asked = tokenizer.apply_chat_template(messages[:-1], tokenize=False, add_generation_prompt=True)
    prompt_ids = tokenizer(asked, add_special_tokens=False)["input_ids"]

    assert list(encoded.input_ids) == tokenizer(text, add_special_tokens=False)["input_ids"]
    assert list(encoded.input_ids[: len(prompt_ids)]) == prompt_ids
    learned = [
        token for token, label in zip(encoded.input_ids, encoded.labels, strict=True) if label != IGNORED
    ]  # fmt: skip
    assert [label for label in encoded.labels if label != IGNORED] == learned
    answers = [one["content"] for one in messages if one["role"] == "assistant"]
    assert tokenizer.decode(learned) == "".join(f"{answer}<|im_end|>\n" for answer in answers)
