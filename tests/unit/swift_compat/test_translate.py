"""From ms-swift 2 and 3 to 4: the article's commands, the table of changes, and what is left as it stands."""

import shlex
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from toolkit.core.errors import DataError, ModelError
from toolkit.swift_compat.__main__ import process, redacted
from toolkit.swift_compat.command_line import parse
from toolkit.swift_compat.named_sources import HubName, hub_names, unreachable
from toolkit.swift_compat.reach import connection_error
from toolkit.swift_compat.renamed_options import CHANGES
from toolkit.swift_compat.surroundings import Adapter, ModelFolder, template_of
from toolkit.swift_compat.translate import translate

QWEN = "Qwen2.5-7B-Instruct"
TRAINED = "output/v0-20261124-120446/checkpoint-40"
TRAINING = (
    "--torch_dtype bfloat16 --num_train_epochs 10 --per_device_train_batch_size 1 --per_device_eval_batch_size 1 "
    "--learning_rate 1e-4 --lora_rank 8 --lora_alpha 32 --target_modules all-linear --gradient_accumulation_steps 16 "
    "--eval_steps 50 --save_steps 50 --save_total_limit 2 --logging_steps 5 --max_length 2048 --output_dir output "
    "--system 'You are a helpful assistant.' --warmup_ratio 0.05 --dataloader_num_workers 4"
)


@dataclass(frozen=True, kw_only=True)
class FakeSurroundings:
    has_card: bool = True
    prefers_hugging_face: bool = False
    models: dict[str, ModelFolder] = field(default_factory=lambda: {QWEN: ModelFolder()})
    adapters: dict[str, Adapter] = field(
        default_factory=lambda: {TRAINED: Adapter(model=QWEN, paths=(f"/root/{QWEN}",), has_type=True)}
    )
    files: tuple[str, ...] = ("self_cognition.json", "general.json")

    def exists(self, name: str) -> bool:
        return name in {*self.files, *self.models, *self.adapters}

    def model(self, name: str) -> ModelFolder | None:
        return self.models.get(name)

    def adapter(self, name: str) -> Adapter | None:
        return self.adapters.get(name)

    def checkpoints(self) -> list[str]:
        return list(self.adapters)


def translated(command: str, **there) -> tuple[str, list[str]]:
    translation = translate(shlex.split(command), FakeSurroundings(**there))
    return shlex.join(translation.line.words()), list(translation.notes)


def names_on_a_hub(command: str, **there) -> list[HubName]:
    return hub_names(parse(shlex.split(command)), FakeSurroundings(**there))


ARTICLE_INFER = f"infer --model {QWEN} --model_type qwen --stream true --temperature 0 --max_new_tokens 2048"


def test_the_articles_infer_asks_a_qwen2_model():
    command, notes = translated(ARTICLE_INFER)

    assert command == (
        f"infer --model {QWEN} --model_type qwen2 --stream true --temperature 0 --max_new_tokens 2048 "
        "--template qwen2_5"
    )
    assert notes == [
        f"--model_type qwen is --model_type qwen2 --template qwen2_5 here: qwen is Qwen-1, {QWEN} is Qwen2"
    ]


def test_the_articles_training_is_named_as_ms_swift_4_names_it():
    rest = f"--dataset self_cognition.json {TRAINING} --model_author swift --model_name swift-robot"

    command, notes = translated(f"sft --model {QWEN} --train_type lora {rest}")

    assert command == (
        f"sft --model {QWEN} --tuner_type lora {rest} --model_type qwen2 --template qwen2_5 --check_model false"
    )
    assert notes == [
        "--train_type is --tuner_type in ms-swift 4 (renamed in 4.0)",
        "--model_type qwen2 --template qwen2_5 is added: ms-swift 4 recognizes a local model only by its folder's name",
        "--check_model false is added: else ms-swift looks a local model up on ModelScope",
        (
            "--model_name and --model_author do nothing here: ms-swift fills them into swift/self-cognition only; "
            "the names that count are those in the rows of self_cognition.json"
        ),
    ]


def test_the_articles_adapter_is_asked_as_it_stands():
    command = f"infer --adapters {TRAINED} --stream true --temperature 0 --max_new_tokens 2048"

    assert translated(command) == (command, [])


def test_without_a_card_a_training_is_told_so():
    command, notes = translated(
        f"sft --model {QWEN} --model_type qwen2 --template qwen2_5 --check_model true", has_card=False
    )

    assert command.endswith(" --check_model true --use_cpu true")
    assert notes == ["--use_cpu true is added: there is no card here, and ms-swift would refuse bfloat16"]


def test_an_answer_needs_no_word_about_cards():
    assert "use_cpu" not in translated(ARTICLE_INFER, has_card=False)[0]


@pytest.mark.parametrize(
    "command",
    [
        "",
        "--help",
        "sft --help",
        "sft -h",
        "sft train.yaml --train_type lora",
        "web-ui --train_type lora",
        "unheard-of --train_type lora",
        f"export --model {QWEN} --model_type qwen2 --template qwen2_5 --quant_bits 4 --unheard_of=1",
        "infer --model Qwen/Qwen2.5-7B-Instruct --infer_backend vllm",
        f"sft --model {QWEN} --model_type qwen2 --template qwen2_5 --tuner_type full --check_model=true",
        "infer --model another --model_type llama",
        "sft --model Qwen/Qwen2.5-7B-Instruct --dataset swift/self-cognition#500 --model_name a --model_author b",
        "infer --system '' -- stray --seed -1",
    ],
)
def test_what_needs_no_change_is_left_as_it_stands(command):
    words = shlex.split(command)

    assert translate(words, FakeSurroundings()).line.words() == words
    assert translate(words, FakeSurroundings()).notes == ()


def test_a_glued_value_and_dashes_are_understood():
    command, notes = translated("rlhf --train-type=lora --rlhf_type=dpo")

    assert command == "rlhf --tuner_type=lora --rlhf_type=dpo"
    assert notes == ["--train-type is --tuner_type in ms-swift 4 (renamed in 4.0)"]


@pytest.mark.parametrize(
    ("old", "new", "note"),
    [
        ("--sft_type lora", "--tuner_type lora", "--sft_type is --tuner_type in ms-swift 4 (renamed in 3.0)"),
        ("--dtype bf16", "--torch_dtype bfloat16",
         "--dtype bf16 is --torch_dtype bfloat16 in ms-swift 4 (named as in torch since 3.0)"),
        ("--dtype AUTO", "", "--dtype AUTO is dropped: the model's own type is the default"),
        ("--lora_target_modules ALL", "--target_modules all-linear",
         "--lora_target_modules ALL is --target_modules all-linear in ms-swift 4 (renamed in 3.0)"),
        ("--lora_target_modules q_proj v_proj", "--target_modules q_proj v_proj",
         "--lora_target_modules is --target_modules in ms-swift 4 (renamed in 3.0)"),
        ("--tuner_backend swift", "--tuner_backend peft",
         "--tuner_backend swift is --tuner_backend peft in ms-swift 4 (ms-swift's own backend was removed in 3.0)"),
        ("--do_sample false", "--temperature 0",
         "--do_sample false is --temperature 0 in ms-swift 4 (only the temperature decides)"),
        ("--do_sample", "", "--do_sample is dropped: only the temperature decides"),
        ("--temperature 0 --do_sample false", "--temperature 0",
         "--do_sample false is dropped: --temperature is given"),
        ("--save_safetensors false", "", "--save_safetensors is dropped: weights are always saved as safetensors"),
        ("--gpu_memory_utilization 0.9", "--vllm_gpu_memory_utilization 0.9",
         ("--gpu_memory_utilization is --vllm_gpu_memory_utilization in ms-swift 4 "
          "(vLLM's options carry its name since 3.7 or 3.10)")),
        ("--adapters a --lora_modules b", "--adapters b a",
         "--lora_modules is --adapters in ms-swift 4 (removed in 4.0)"),
        (f"--ckpt_dir {TRAINED}", f"--adapters {TRAINED}", "--ckpt_dir is --adapters in ms-swift 4 (removed in 4.0)"),
        ("--model_type qwen2_5", "--model_type qwen2 --template qwen2_5",
         "--model_type qwen2_5 is --model_type qwen2 --template qwen2_5 in ms-swift 4"),
        ("--model_type qwen2_5 --template mine", "--model_type qwen2 --template mine",
         "--model_type qwen2_5 is --model_type qwen2 in ms-swift 4"),
    ],
)  # fmt: skip
def test_an_older_name_is_told_and_replaced(old, new, note):
    assert translated(f"infer {old}") == (f"infer {new}".strip(), [note])


def test_a_whole_checkpoint_is_a_model():
    models = {"merged": ModelFolder(has_type=True)}

    assert translated("infer --ckpt_dir merged", models=models)[0] == "infer --model merged"


def test_no_change_is_lost_behind_another():
    seen = [(change.old, change.value) for change in CHANGES]

    assert len(seen) == len(set(seen))


def test_an_adapter_asked_from_another_folder_finds_its_base():
    there = {"models": {f"/root/{QWEN}": ModelFolder()}}

    command, notes = translated(f"infer --adapters {TRAINED}", **there)

    assert command == f"infer --adapters {TRAINED} --model /root/{QWEN}"
    assert notes == [f"--model /root/{QWEN} is added: the adapter names it {QWEN}, which is not in this folder"]


def test_an_adapter_trained_elsewhere_takes_the_base_of_the_same_name():
    adapters = {TRAINED: Adapter(model=f"/gone/{QWEN}", paths=(f"/gone/{QWEN}",), has_type=True)}

    assert translated(f"infer --adapters {TRAINED}", adapters=adapters)[0].endswith(f"--model {QWEN}")


def test_an_adapter_of_ms_swift_3_does_not_tell_the_model_type():
    adapters = {TRAINED: Adapter(model=QWEN, has_type=False)}

    command, _ = translated(f"infer --adapters {TRAINED} --model {QWEN}", adapters=adapters)

    assert command.endswith("--model_type qwen2 --template qwen2_5")


def test_a_merged_model_that_is_there_already_is_pointed_out():
    command = f"infer --adapters {TRAINED} --merge_lora true"

    unchanged, notes = translated(command, files=(f"{TRAINED}-merged",))

    assert unchanged == command
    assert notes == [
        f"--merge_lora uses the existing {TRAINED}-merged and merges nothing: remove it if the adapter is newer"
    ]
    assert translated(command)[1] == []


@pytest.mark.parametrize(
    ("chat_template", "name"),
    [
        ("", "qwen2_5"),
        ("<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.", "qwen2_5"),
        ("<|im_start|>system\nYou are a helpful assistant. <tool_call>", "qwen2_5"),
        ("<|im_start|>system\nYou are a helpful assistant.", "qwen"),
        ("<|im_start|>system\nPlease reason step by step, and put your final answer within \\boxed{}.", "qwen2_5_math"),
        ("<|im_start|>assistant\n<think>", ""),
        ("<｜User｜>", ""),
    ],
)
def test_the_template_follows_the_models_own(chat_template, name):
    assert template_of(chat_template) == name


def test_a_hubs_data_sets_are_told_from_files():
    command = (
        "sft --model Qwen2.5-7B-Instruct --dataset AI-ModelScope/alpaca-gpt4-data-zh#500 hf::a/b:sub general.json#20"
    )

    assert names_on_a_hub(command) == [
        HubName(name="AI-ModelScope/alpaca-gpt4-data-zh", kind="data set", hub="ModelScope"),
        HubName(name="a/b", kind="data set", hub="Hugging Face"),
    ]


def test_a_hubs_model_is_asked_of_the_hub_that_is_meant():
    command = "infer --model Qwen/Qwen2.5-7B-Instruct"

    assert [name.hub for name in names_on_a_hub(command)] == ["ModelScope"]
    assert [name.hub for name in names_on_a_hub(f"{command} --use_hf true")] == ["Hugging Face"]
    assert [name.hub for name in names_on_a_hub(command, prefers_hugging_face=True)] == ["Hugging Face"]


@pytest.mark.parametrize(
    ("command", "failure", "message"),
    [
        (f"sft --model {QWEN} --dataset genral.json#20", DataError,
         "No data set genral.json here. Name an existing file, or owner/name on a hub."),
        ("infer --model Qwen2.5-7B", ModelError,
         "No model folder Qwen2.5-7B here. Name the folder with its config.json."),
        ("infer --adapters output/v0-YYYYMMDD-HHMMSS/checkpoint-NN", ModelError,
         f"No adapter output/v0-YYYYMMDD-HHMMSS/checkpoint-NN here. The last one is {TRAINED}."),
    ],
)  # fmt: skip
def test_a_path_that_is_not_there_is_refused_at_once(command, failure, message):
    with pytest.raises(failure) as refused:
        names_on_a_hub(command)

    assert str(refused.value) == message


def test_a_hub_out_of_reach_is_named_with_what_it_should_give():
    names = [
        HubName(name="a/b", kind="data set", hub="ModelScope"),
        HubName(name="c/d", kind="data set", hub="ModelScope"),
    ]

    refused = unreachable(names, "www.modelscope.cn", "no route")

    assert isinstance(refused, DataError)
    assert str(refused) == (
        "Cannot reach www.modelscope.cn (ModelScope) for the data sets a/b, c/d: no route. "
        "Name local files instead, or allow the network (the image runs without it unless asked)."
    )


def test_a_port_without_a_listener_does_not_answer():
    assert connection_error("127.0.0.1", 1) == "Connection refused"


def test_one_process_becomes_the_script_and_several_are_left_to_ms_swift():
    sft = parse(["sft", "--model", QWEN])

    alone, several = process(sft, {}), process(sft, {"NPROC_PER_NODE": "2"})

    assert Path(alone[1]).parts[-3:] == ("swift", "cli", "sft.py")
    assert alone[2:] == ["--model", QWEN]
    assert several == [sys.executable, "-P", "-m", "swift.cli.main", "sft", "--model", QWEN]
    assert process(parse(["sft", "train.yaml"]), {})[3] == "swift.cli.main"
    assert process(parse(["merge-lora"]), {})[1].endswith("merge_lora.py")
    assert process(parse(["infer"]), {})[3] == "toolkit.swift_compat.run_script"


SCRIPT = """
import atexit, sys, threading, time
threading.Thread(target=lambda: (time.sleep(0.05), print("thread"))).start()
threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
atexit.register(print, "atexit")
print(*sys.argv[1:])
"""


def run_script(path: Path, script: str) -> subprocess.CompletedProcess[str]:
    path.write_text(script)
    command = [sys.executable, "-m", "toolkit.swift_compat.run_script", path, "--seed", "1"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_script_ends_with_all_its_work_done_and_no_wait_for_daemons(tmp_path):
    done = run_script(tmp_path / "infer.py", SCRIPT)

    assert (done.returncode, done.stdout, done.stderr) == (0, "--seed 1\nthread\natexit\n", "")


def test_a_scripts_own_exit_code_is_kept(tmp_path):
    assert run_script(tmp_path / "infer.py", "import sys; sys.exit(3)").returncode == 3
    assert run_script(tmp_path / "infer.py", "raise ValueError").returncode == 1


def test_a_secret_is_not_shown_again():
    assert (
        redacted(parse(["export", "--hub_token", "s3cret", "--push_to_hub"]))
        == "export --hub_token '***' --push_to_hub"
    )
    assert "s3cret" not in redacted(parse(["export", "--hub_token=s3cret"]))


def test_another_familys_folder_is_left_to_ms_swift():
    command = "infer --model distilled --model_type qwen2"

    assert translated(command, models={"distilled": ModelFolder(template="")}) == (command, [])


def test_it_starts_in_a_blink():
    heavy = "{'torch', 'swift', 'transformers', 'click', 'yaml'}"
    code = f"import sys, toolkit.swift_compat.__main__; sys.exit(bool({heavy} & set(sys.modules)))"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
