"""Answers of an adapter's folder by plain transformers and peft, without our own batching, masking and decoding.

Where `toolkit.model.language_model` gives the same answers, they do not depend on its code.
"""

from collections.abc import Sequence
from pathlib import Path

from toolkit.core.errors import ModelError, first_line
from toolkit.core.events import Listener, Progress
from toolkit.model.chat_template import CLOSED, SWITCH, opens_thought, render_in_child, thinks
from toolkit.model.conversation import Messages
from toolkit.model.decoding.answer import Answer, answer_of
from toolkit.model.decoding.answer_end import end_tokens
from toolkit.model.decoding.greedy import Continuation
from toolkit.model.device import find_device


def plain_peft_answers(
    base: Path, adapter: Path, prompts: Sequence[Messages], *, max_new_tokens: int, listener: Listener, task: str
) -> list[Answer]:
    """Greedy answers in the prompts' order, one generated at a time; their `margins` are empty.

    Raises ModelError where the folder does not load.
    """
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from toolkit.model.families.float16 import steady

    render_in_child()
    device = find_device()
    try:
        tokenizer = AutoTokenizer.from_pretrained(base, local_files_only=True)
        model = AutoModelForCausalLM.from_pretrained(
            base, dtype=device.precision, device_map=device.kind, local_files_only=True, use_safetensors=True
        )
        steady(model)  # in float16 some give no number otherwise, whatever the adapter is
        model = PeftModel.from_pretrained(model, str(adapter), local_files_only=True).eval()
    except Exception as error:
        raise ModelError(
            f"peft does not load {adapter}: {first_line(error)}.", next="Run it again with --debug, and report it."
        ) from error
    ends = end_tokens(tokenizer, model.generation_config.eos_token_id)
    answers = []
    for messages in prompts:
        # A model that thinks is asked without a thought, as every other model.
        text = tokenizer.apply_chat_template(
            messages, add_generation_prompt=True, tokenize=False, **({SWITCH: False} if thinks(tokenizer) else {})
        )
        text += CLOSED if opens_thought(text) else ""
        inputs = tokenizer(text, add_special_tokens=False, return_tensors="pt").to(model.device)
        with torch.inference_mode():
            # Greedy: the model's generation_config may sample or penalise repetition.
            output = model.generate(
                **inputs, do_sample=False, repetition_penalty=1.0, temperature=None, top_p=None, top_k=None,
                max_new_tokens=max_new_tokens, eos_token_id=ends, output_logits=True, return_dict_in_generate=True,
            )  # fmt: skip
        tokens = _without_end(output.sequences[0, inputs["input_ids"].shape[1] :].tolist(), ends)
        found = Continuation(tokens=tokens, margins=[], first_logits=output.logits[0][0].float())
        answers.append(answer_of(found, lambda ids: str(tokenizer.decode(ids, skip_special_tokens=True))))
        listener(Progress(task=task, done=len(answers), total=len(prompts)))
    return answers


def _without_end(tokens: list[int], ends: list[int]) -> list[int]:
    """The tokens before the first end mark."""
    return tokens[: next((at for at, token in enumerate(tokens) if token in ends), len(tokens))]
