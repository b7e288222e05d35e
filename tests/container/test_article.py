"""The article's commands in the image, with the embedded model under the article's own path.

As they are printed but for one epoch in place of ten, which tests/e2e/swift_compat trains.
"""

import re
from pathlib import Path

import pytest

from tests.container.host import Host

INFER = (
    "CUDA_VISIBLE_DEVICES=0 swift infer --model Qwen2.5-7B-Instruct --model_type qwen --stream true --temperature 0 "
    "--max_new_tokens 2048"
)
SFT = """CUDA_VISIBLE_DEVICES=0 \\
swift sft \\
    --model Qwen2.5-7B-Instruct \\
    --train_type lora \\
    --dataset {dataset} \\
    --torch_dtype bfloat16 \\
    --num_train_epochs 1 \\
    --per_device_train_batch_size 1 \\
    --per_device_eval_batch_size 1 \\
    --learning_rate 1e-4 \\
    --lora_rank 8 \\
    --lora_alpha 32 \\
    --target_modules all-linear \\
    --gradient_accumulation_steps 16 \\
    --eval_steps 50 \\
    --save_steps 50 \\
    --save_total_limit 2 \\
    --logging_steps 5 \\
    --max_length 2048 \\
    --output_dir output \\
    --system 'You are a helpful assistant.' \\
    --warmup_ratio 0.05 \\
    --dataloader_num_workers 4 \\
    --model_author swift \\
    --model_name swift-robot"""


@pytest.fixture(scope="module", name="article")
def _article(host: Host, image: str, tmp_path_factory: pytest.TempPathFactory) -> "Article":
    return Article(host=host, image=image, output=tmp_path_factory.mktemp("article"))


class Article:
    """Plain `docker run`, as the article's reader does: root, /root, the model where the mirror has it."""

    def __init__(self, *, host: Host, image: str, output: Path) -> None:
        self.host, self.image, self.output = host, image, output

    def __call__(self, script: str, stdin: str | None = None) -> "tuple[int, str, str]":
        model = self.host.project / "data/tiny-qwen2"
        done = self.host.inside(
            self.image, script, "--volume", f"{model}:/root/Qwen2.5-7B-Instruct:ro",
            "--volume", f"{self.output}:/root/output", "--shm-size", "1g", stdin=stdin,
        )  # fmt: skip
        return done.returncode, done.stdout, done.stderr


def test_the_model_answers_before(article: Article) -> None:
    code, out, err = article(INFER, stdin="你是谁？\nexit\n")
    assert code == 0, err
    assert "通义千问" in out
    assert "swift: --model_type qwen is --model_type qwen2 --template qwen2_5 here" in err


def test_it_trains_and_answers_after(article: Article) -> None:
    code, _, err = article(SFT.format(dataset="self_cognition.json"))
    assert code == 0, err[-3000:]
    assert "swift: --train_type is --tuner_type in ms-swift 4" in err
    assert "swift: --model_name and --model_author do nothing here" in err
    [checkpoint] = article.output.glob("v*-*/checkpoint-*")
    assert (checkpoint / "adapter_model.safetensors").is_file()
    infer = (
        f"CUDA_VISIBLE_DEVICES=0 swift infer --adapters {checkpoint.relative_to(article.output.parent)} --stream true "
        "--temperature 0 --max_new_tokens 2048"
    ).replace(article.output.name, "output", 1)
    code, out, err = article(infer, stdin="你是谁？\nexit\n")
    assert code == 0, err[-3000:]
    assert re.search(r"我是|通义", out), out


def test_mixing_with_local_rows_trains(article: Article) -> None:
    script = (
        "python - <<'END'\n"
        "import json\n"
        "rows = [{'instruction': f'{n} + 1 = ?', 'output': str(n + 1)} for n in range(40)]\n"
        "json.dump(rows, open('general.json', 'w'))\n"
        "json.dump(json.load(open('self_cognition.json'))[:12], open('few.json', 'w'))\n"
        "END\n"
    ) + SFT.format(dataset="general.json#4 few.json")  # a step
    code, _, err = article(script)
    assert code == 0, err[-3000:]


def test_mixing_from_the_hub_without_a_network_ends_at_once_with_the_remedy(article: Article) -> None:
    hub = "'AI-ModelScope/alpaca-gpt4-data-zh#500' 'AI-ModelScope/alpaca-gpt4-data-en#500' self_cognition.json"
    code, _, err = article(SFT.format(dataset=hub))
    assert code == 5
    assert "Cannot reach" in err
    assert "AI-ModelScope/alpaca-gpt4-data-zh" in err
    assert "allow the network" in err
