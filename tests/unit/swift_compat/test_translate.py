"""From ms-swift 2 and 3 to 4: the article's commands, the table of changes, and what is left unchanged."""

import shlex

import pytest

from tests.fakes.surroundings import QWEN, TRAINED, FakeSurroundings
from toolkit.swift_compat.surroundings import Adapter, ModelFolder
from toolkit.swift_compat.translate import translate

TRAINING = (
    "--torch_dtype bfloat16 --num_train_epochs 10 --per_device_train_batch_size 1 --per_device_eval_batch_size 1 "
    "--learning_rate 1e-4 --lora_rank 8 --lora_alpha 32 --target_modules all-linear --gradient_accumulation_steps 16 "
    "--eval_steps 50 --save_steps 50 --save_total_limit 2 --logging_steps 5 --max_length 2048 --output_dir output "
    "--system 'You are a helpful assistant.' --warmup_ratio 0.05 --dataloader_num_workers 4"
)


def translated(command: str, **there) -> tuple[str, list[str]]:
    translation = translate(shlex.split(command), FakeSurroundings(**there))
    return shlex.join(translation.line.words()), list(translation.notes)


ARTICLE_INFER = f"infer --model {QWEN} --model_type qwen --stream true --temperature 0 --max_new_tokens 2048"


def test_the_articles_infer_runs_a_qwen2_model():
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


def test_the_articles_command_for_an_adapter_is_left_unchanged():
    command = f"infer --adapters {TRAINED} --stream true --temperature 0 --max_new_tokens 2048"

    assert translated(command) == (command, [])


def test_without_a_card_a_training_uses_the_cpu():
    command, notes = translated(
        f"sft --model {QWEN} --model_type qwen2 --template qwen2_5 --check_model true", has_card=False
    )

    assert command.endswith(" --check_model true --use_cpu true")
    assert notes == ["--use_cpu true is added: there is no card here, and ms-swift would refuse bfloat16"]


def test_inference_needs_no_note_about_cards():
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
def test_what_needs_no_change_is_left_unchanged(command):
    words = shlex.split(command)

    assert translate(words, FakeSurroundings()).line.words() == words
    assert translate(words, FakeSurroundings()).notes == ()


def test_an_equals_sign_and_dashes_are_understood():
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
def test_an_older_name_is_replaced_with_a_note(old, new, note):
    assert translated(f"infer {old}") == (f"infer {new}".strip(), [note])


def test_a_whole_checkpoint_is_a_model():
    models = {"merged": ModelFolder(has_type=True)}

    assert translated("infer --ckpt_dir merged", models=models)[0] == "infer --model merged"


def test_an_adapter_used_from_another_folder_finds_its_base():
    there = {"models": {f"/root/{QWEN}": ModelFolder()}}

    command, notes = translated(f"infer --adapters {TRAINED}", **there)

    assert command == f"infer --adapters {TRAINED} --model /root/{QWEN}"
    assert notes == [f"--model /root/{QWEN} is added: the adapter names it {QWEN}, which is not in this folder"]


def test_an_adapter_trained_elsewhere_takes_the_base_of_the_same_name():
    adapters = {TRAINED: Adapter(model=f"/gone/{QWEN}", paths=(f"/gone/{QWEN}",), has_type=True)}

    assert translated(f"infer --adapters {TRAINED}", adapters=adapters)[0].endswith(f"--model {QWEN}")


def test_an_adapter_of_ms_swift_3_does_not_state_the_model_type():
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


def test_another_familys_folder_is_left_to_ms_swift():
    command = "infer --model distilled --model_type qwen2"

    assert translated(command, models={"distilled": ModelFolder(template="")}) == (command, [])


@pytest.mark.parametrize("name", [QWEN, f"/root/{QWEN}"])
def test_a_model_that_the_toolkit_downloaded_is_used_where_it_is(name: str):
    there = f"models/{QWEN}"
    places = {QWEN: there, "general.json": "data/general.json"}

    command, notes = translated(
        f"sft --model {name} --tuner_type lora --dataset 'general.json#500' self_cognition.json",
        models={there: ModelFolder()}, files=("self_cognition.json", there), places=places,
    )  # fmt: skip

    assert command.startswith(
        f"sft --model {there} --tuner_type lora --dataset 'data/general.json#500' self_cognition.json --model_type"
    )
    assert notes[0] == f"--model {name} is {there}: {name} is not in this folder"
    assert notes[1] == "--dataset general.json#500 is data/general.json#500: general.json#500 is not in this folder"


def test_a_path_or_a_hubs_name_is_left_as_it_is():
    command = f"sft --model Qwen/{QWEN} --dataset ./general.json"

    assert translated(command, models={}, files=(), places={QWEN: f"models/{QWEN}", "general.json": "x"})[0].startswith(
        command
    )
