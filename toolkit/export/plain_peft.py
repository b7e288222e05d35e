"""Asks an adapter's folder with plain transformers and peft, and none of our own code.

`toolkit.model.language_model` batches, masks and decodes in its own way; an answer that
both give depends on none of it.
"""

from collections.abc import Sequence
from pathlib import Path

from toolkit.core.errors import ModelError
from toolkit.core.events import Listener, Progress
from toolkit.model.conversation import Messages
from toolkit.model.device import find_device
from toolkit.model.language_model import Answer


def plain_peft_answers(
    base: Path, adapter: Path, prompts: Sequence[Messages], *, max_new_tokens: int, listener: Listener, task: str
) -> list[Answer]:
    """Greedy answers, one question at a time, without margins. Raises ModelError where the folder does not load."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    device = find_device()
    try:
        tokenizer = AutoTokenizer.from_pretrained(base, local_files_only=True)
        model = AutoModelForCausalLM.from_pretrained(
            base, dtype=device.precision, device_map=device.kind, local_files_only=True, use_safetensors=True
        )
        model = PeftModel.from_pretrained(model, str(adapter), local_files_only=True).eval()
    except Exception as error:
        first = (str(error).splitlines() or [type(error).__name__])[0][:200].rstrip(".")
        raise ModelError(
            f"peft does not load {adapter}: {first}.", next="Run it once more with --debug, and report it."
        ) from error
    found = []
    for messages in prompts:
        asked = tokenizer.apply_chat_template(
            messages, add_generation_prompt=True, return_tensors="pt", return_dict=True
        ).to(model.device)
        with torch.inference_mode():
            # The model's own settings may sample, or punish repetition; only the highest logit is asked for.
            told = model.generate(
                **asked, do_sample=False, repetition_penalty=1.0, temperature=None, top_p=None, top_k=None,
                max_new_tokens=max_new_tokens, output_logits=True, return_dict_in_generate=True,
            )  # fmt: skip
        tokens = _without_end(told.sequences[0, asked["input_ids"].shape[1] :].tolist(), model, tokenizer)
        text = tokenizer.decode(tokens, skip_special_tokens=True).strip()
        found.append(Answer(text=text, tokens=tokens, margins=[], first_logits=told.logits[0][0].float()))
        listener(Progress(task=task, done=len(found), total=len(prompts)))
    return found


def _without_end(tokens: list[int], model: object, tokenizer: object) -> list[int]:
    """Up to the first end mark: any of those that generation stops at."""
    ends = model.generation_config.eos_token_id  # type: ignore[attr-defined]
    known = {*(ends if isinstance(ends, list) else [ends]), tokenizer.eos_token_id}  # type: ignore[attr-defined]
    return tokens[: next((at for at, token in enumerate(tokens) if token in known), len(tokens))]
