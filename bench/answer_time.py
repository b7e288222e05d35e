"""What asking costs beside plain `model.generate` for the same tokens: one load, one side, alternating.

    python bench/answer_time.py MODEL OUT.json
    python bench/answer_time.py MODEL OUT.json --probes 48 --systems 3 --sides 2   # after load: 48 x 3 x 2 x 64 tokens

Plain: the tokenizer pads a batch, `generate` decodes greedily, the tokenizer decodes; batches in the prompts' order.
Ours (`LanguageModel.answers`): questions sorted and grouped, margins and first logits kept, which the gate needs.
"""

import json
import statistics
import time
from collections.abc import Callable

import torch
from arguments import arguments

from toolkit.compare.questions import matrix
from toolkit.core.files import data_folder
from toolkit.data.probes import read_probes
from toolkit.model.conversation import DEFAULT_SYSTEM, Messages, conversation
from toolkit.model.language_model import LanguageModel
from toolkit.runs.recording import versions


def plain(model: LanguageModel, prompts: list[Messages], max_new_tokens: int) -> int:
    """As transformers' own documentation does it; the number of tokens that were made."""
    tokenizer, made = model.tokenizer, 0
    tokenizer.padding_side = "left"
    texts = [tokenizer.apply_chat_template(one, tokenize=False, add_generation_prompt=True) for one in prompts]
    for start in range(0, len(texts), model.batch_size):
        batch = tokenizer(
            texts[start : start + model.batch_size], add_special_tokens=False, padding=True, return_tensors="pt"
        ).to(model.model.device)
        with torch.inference_mode():
            output = model.model.generate(
                input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], do_sample=False,
                max_new_tokens=max_new_tokens,
            )  # fmt: skip
        new = output[:, batch["input_ids"].shape[1] :]
        tokenizer.batch_decode(new, skip_special_tokens=True)
        made += int((new != tokenizer.pad_token_id).sum())
    return made


def ours(model: LanguageModel, prompts: list[Messages], max_new_tokens: int) -> int:
    return sum(len(answer.tokens) for answer in model.answers(prompts, max_new_tokens=max_new_tokens))


def timed(
    ask: Callable[[LanguageModel, list[Messages], int], int], model: LanguageModel, prompts: list[Messages],
    max_new_tokens: int,
) -> tuple[float, int]:  # fmt: skip
    wait: Callable[[], None] = torch.cuda.synchronize if torch.cuda.is_available() else lambda: None
    wait()
    began = time.perf_counter()
    made = ask(model, prompts, max_new_tokens)
    wait()
    return time.perf_counter() - began, made


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--probes", type=int, default=100)
    parser.add_argument("--systems", type=int, default=4, choices=range(1, 5))
    parser.add_argument("--sides", type=int, default=1)
    parser.add_argument("--max-new-tokens", type=int, default=64)
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    probes = read_probes(data_folder() / "probes.yaml").probes[: options.probes]
    systems = matrix(DEFAULT_SYSTEM)[: options.systems]
    prompts = [conversation(probe.prompt, system) for system in systems for probe in probes] * options.sides
    model = LanguageModel.load(options.model)
    seconds: dict[str, list[float]] = {"plain": [], "ours": []}
    made: dict[str, int] = {}
    first = timed(ours, model, prompts, options.max_new_tokens)[0]  # also what is made once: kernels, memory
    for _ in range(options.repeat):
        for name, ask in (("plain", plain), ("ours", ours)):
            took, made[name] = timed(ask, model, prompts, options.max_new_tokens)
            seconds[name].append(round(took, 3))
    medians = {name: statistics.median(several) for name, several in seconds.items()}
    result = {
        "what": "seconds to answer, medians of alternating repeats in one load",
        "questions": len(prompts), "max_new_tokens": options.max_new_tokens, "batch_size": model.batch_size,
        "device": str(model.model.device), "versions": versions(), "first_s": round(first, 3), "seconds": seconds,
        "tokens": made, "medians_s": medians, "ratio": round(medians["ours"] / medians["plain"], 3),
    }  # fmt: skip
    options.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(f"plain {medians['plain']:.2f} s, ours {medians['ours']:.2f} s, ratio {result['ratio']}")


if __name__ == "__main__":
    main()
