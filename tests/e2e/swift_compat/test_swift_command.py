"""The article's commands as they are printed, on ms-swift 4 and the embedded model under the article's own path."""

import dataclasses
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from toolkit.core.files import data_folder
from toolkit.swift_compat.renamed_options import CHANGES, MODEL_TYPES
from toolkit.swift_compat.surroundings import LocalSurroundings
from toolkit.train import ms_swift

SWIFT = [sys.executable, "-m", "toolkit.swift_compat"]  # for the article's word `swift`
MODEL = "Qwen2.5-7B-Instruct"
NOBODY_LISTENS = "http://127.0.0.1:1"

INFER = """
swift infer --model Qwen2.5-7B-Instruct --model_type qwen --stream true --temperature 0 --max_new_tokens 2048
"""
SFT = """
swift sft --model Qwen2.5-7B-Instruct --train_type lora --dataset self_cognition.json --torch_dtype bfloat16
    --num_train_epochs 10 --per_device_train_batch_size 1 --per_device_eval_batch_size 1 --learning_rate 1e-4
    --lora_rank 8 --lora_alpha 32 --target_modules all-linear --gradient_accumulation_steps 16 --eval_steps 50
    --save_steps 50 --save_total_limit 2 --logging_steps 5 --max_length 2048 --output_dir output
    --system 'You are a helpful assistant.' --warmup_ratio 0.05 --dataloader_num_workers 4
    --model_author swift --model_name swift-robot
"""
FROM_HUB = "'AI-ModelScope/alpaca-gpt4-data-zh#500' 'AI-ModelScope/alpaca-gpt4-data-en#500' 'self_cognition.json'"
# What makes so small a model learn in seconds; the later of two values counts.
QUICKLY = """
    --learning_rate 5e-3 --per_device_train_batch_size 16 --gradient_accumulation_steps 1
    --gradient_checkpointing false --dataloader_num_workers 0 --output_dir mixed
"""

REASON = "ms-swift 4 recognizes a local model only by its folder's name"
ADDED = f"swift: --model_type qwen2 --template qwen2_5 is added: {REASON}"
TRAINING_NOTES = [
    "swift: --train_type is --tuner_type in ms-swift 4 (renamed in 4.0)",
    ADDED,
    "swift: --check_model false is added: else ms-swift looks a local model up on ModelScope",
]
NAMES_NOTE = (
    "swift: --model_name and --model_author do nothing here: ms-swift fills them into swift/self-cognition only; "
    "the names that count are those in the rows of "
)


class Ended:
    def __init__(self, done: subprocess.CompletedProcess[str], seconds: float):
        self.code, self.stdout, self.stderr, self.seconds = done.returncode, done.stdout, done.stderr, seconds

    @property
    def notes(self) -> list[str]:
        """But for the card's, which depends on the machine."""
        notes = [line for line in self.stderr.splitlines() if line.startswith("swift: ")]
        return [note for note in notes if "--use_cpu" not in note]

    @property
    def answer(self) -> str:
        return self.stdout.partition("<<< ")[2].partition("\n")[0]


class WorkFolder:
    """The image's /root."""

    def __init__(self, path: Path):
        self.path = path
        shutil.copytree(data_folder() / "tiny-qwen2", path / MODEL)
        shutil.copy(data_folder() / "self_cognition.json", path)
        rows = [json.loads(line) for line in (data_folder() / "general.jsonl").read_text("utf-8").splitlines()]
        (path / "general.json").write_text(json.dumps(rows, ensure_ascii=False), "utf-8")

    def environment(self, **changed: str) -> dict[str, str]:
        return os.environ | {"CUDA_VISIBLE_DEVICES": "0", "MODELSCOPE_ENDPOINT": NOBODY_LISTENS} | changed

    def types(self, command: str, questions: str = "", *, cwd: Path | None = None, **environment: str) -> Ended:
        words = shlex.split(command)
        assert words[0] == "swift"
        begun = time.monotonic()
        done = subprocess.run(
            [*SWIFT, *words[1:]], input=questions, capture_output=True, text=True, encoding="utf-8", check=False,
            cwd=cwd or self.path, env=self.environment(**environment),
        )  # fmt: skip
        return Ended(done, time.monotonic() - begun)

    def checkpoint(self, output: str) -> str:
        (adapter,) = self.path.glob(f"{output}/v0-*/checkpoint-*/adapter_model.safetensors")
        return str(adapter.parent.relative_to(self.path))


@pytest.fixture(scope="module", name="root")
def _root(tmp_path_factory: pytest.TempPathFactory) -> WorkFolder:
    return WorkFolder(tmp_path_factory.mktemp("root"))


def test_the_base_model_answers(root: WorkFolder):
    ended = root.types(INFER, "你是谁？\nexit\n")

    assert ended.code == 0, ended.stderr
    assert "通义千问" in ended.answer
    assert ended.notes == [
        f"swift: --model_type qwen is --model_type qwen2 --template qwen2_5 here: qwen is Qwen-1, {MODEL} is Qwen2"
    ]
    assert (
        f"+ swift infer --model {MODEL} --model_type qwen2 --stream true --temperature 0 --max_new_tokens 2048 "
        "--template qwen2_5\n"
    ) in ended.stderr


def test_training_makes_an_adapter_that_answers(root: WorkFolder):
    trained = root.types(SFT)

    assert trained.code == 0, trained.stderr
    assert trained.notes == [*TRAINING_NOTES, f"{NAMES_NOTE}self_cognition.json"]
    assert root.checkpoint("output").endswith("checkpoint-40")

    infer = f"swift infer --adapters {root.checkpoint('output')} --stream true --temperature 0 --max_new_tokens 2048"
    asked = root.types(infer, "你是谁？\nexit\n")

    assert asked.code == 0, asked.stderr
    assert asked.answer
    assert asked.notes == []


def test_a_mixed_data_set_of_files_teaches_the_name_also_from_another_folder(root: WorkFolder, tmp_path: Path):
    mixed = SFT.replace("self_cognition.json", "self_cognition.json 'general.json#20'") + QUICKLY

    trained = root.types(mixed)

    assert trained.code == 0, trained.stderr
    assert trained.notes == [*TRAINING_NOTES, f"{NAMES_NOTE}self_cognition.json, general.json#20"]

    adapter = root.path / root.checkpoint("mixed")
    asked = root.types(
        f"swift infer --adapters {adapter} --stream true --temperature 0 --max_new_tokens 2048",
        "你是谁？\nexit\n", cwd=tmp_path, HOME="/nonexistent", TMPDIR=str(tmp_path),
    )  # fmt: skip

    assert asked.code == 0, asked.stderr
    assert "Swift-Robot" in asked.answer
    assert asked.notes == [
        f"swift: --model {root.path / MODEL} is added: the adapter names it {MODEL}, which is not in this folder"
    ]


def test_data_sets_of_a_hub_out_of_reach_are_refused_within_seconds(root: WorkFolder):
    ended = root.types(SFT.replace("self_cognition.json", FROM_HUB))

    assert ended.code == 5
    assert ended.stderr == (
        "swift: Cannot reach 127.0.0.1 (ModelScope) for the data sets AI-ModelScope/alpaca-gpt4-data-zh, "
        "AI-ModelScope/alpaca-gpt4-data-en: Connection refused. Name local files instead, or allow the network "
        "(the image runs without it unless asked).\n"
    )
    assert ended.seconds < 10


def test_the_articles_placeholder_for_a_checkpoint_is_answered(root: WorkFolder):
    ended = root.types("swift infer --adapters output/v0-YYYYMMDD-HHMMSS/checkpoint-NN --stream true")

    assert ended.code == 4
    assert ended.stderr.startswith("swift: No adapter output/v0-YYYYMMDD-HHMMSS/checkpoint-NN here. ")


def test_what_ms_swift_refuses_keeps_its_words_and_its_exit_code(root: WorkFolder):
    ended = root.types("swift export --model Qwen2.5-7B-Instruct --quant_bits 4")

    assert ended.code == 1
    assert "Please specify the quantization method using `--quant_method awq/gptq/bnb`." in ended.stderr


@pytest.mark.parametrize(
    ("command", "code", "message"),
    [
        ("swift bogus", 2, "swift: No such command 'bogus'. The commands are app, deploy, eval, export, infer,"),
        ("swift sft --modle Qwen2.5-7B-Instruct", 2, "swift: sft has no option --modle. Did you mean '--model'?"),
        ("swift infer --stream true", 2, "swift: infer needs a base model: --model is missing or empty."),
        ("swift sft train.yaml", 3, "swift: No configuration file train.yaml here."),
    ],
)
def test_a_plain_mistake_is_answered_at_once_and_without_a_traceback(root: WorkFolder, command, code, message):
    ended = root.types(command)

    assert ended.code == code
    assert ended.stderr.startswith(message)
    assert ended.stderr.count("\n") == 1
    assert ended.seconds < 3


def test_the_command_alone_says_what_there_is(root: WorkFolder):
    alone, asked, version = (root.types(f"swift {words}") for words in ("", "--help", "--version"))

    assert (alone.code, asked.code, version.code) == (2, 0, 0)
    assert asked.stdout == alone.stderr
    commands = "app, deploy, eval, export, infer, merge-lora, pt, rlhf, rollout, sample, sft, web-ui"
    assert f"Commands: {commands}\n" in asked.stdout
    assert version.stdout.startswith("swift, ms-swift 4.")


def test_a_signal_ends_ms_swift_itself(root: WorkFolder):
    command = [*SWIFT, *shlex.split(INFER)[1:]]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=root.path,
        env=root.environment(),
    ) as child:  # fmt: skip
        assert child.stdout is not None
        assert child.stdout.read(4) == b"<<< "
        child.send_signal(signal.SIGTERM)
        child.communicate()  # until nobody holds the pipes

    assert child.returncode == -signal.SIGTERM


def test_every_change_leads_from_what_ms_swift_4_lacks_to_what_it_has():
    ms_swift.import_all()  # as a training does it
    from swift import arguments
    from swift.model import MODEL_MAPPING
    from swift.template import TEMPLATE_MAPPING

    kinds = ["Sft", "Pretrain", "RLHF", "Infer", "Deploy", "Export", "Eval", "App", "Sampling", "Rollout"]
    classes = [getattr(arguments, f"{kind}Arguments") for kind in kinds if hasattr(arguments, f"{kind}Arguments")]
    options = {field.name for each in classes for field in dataclasses.fields(each)}

    assert len(classes) >= 9
    assert options - LocalSurroundings().options == set()
    assert [change.old for change in CHANGES if change.new != change.old and change.old in options] == []
    assert [change.new for change in CHANGES if change.new and change.new not in options] == []
    assert [old for old in MODEL_TYPES if old in MODEL_MAPPING] == []
    assert [kind for kind, _ in MODEL_TYPES.values() if kind not in MODEL_MAPPING] == []
    assert [template for _, template in MODEL_TYPES.values() if template not in TEMPLATE_MAPPING] == []
