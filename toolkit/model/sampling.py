"""Sampled answers, in batches. The verdict never uses them: they are for questions that a model writes."""

from collections.abc import Sequence

from toolkit.core.events import Listener, Progress, silent
from toolkit.model.conversation import Messages
from toolkit.model.generation import pad_left
from toolkit.model.language_model import LanguageModel

TEMPERATURE, TOP_P = 0.8, 0.95
BATCHES = 4  # of the model's, at once: what is sampled is short


def samples(
    model: LanguageModel, prompts: Sequence[Messages], *, max_new_tokens: int, seed: int,
    listener: Listener = silent, task: str = "Sampling", cut: bool = False,
) -> list[str]:  # fmt: skip
    """One sampled answer per prompt, in the prompts' order; "" for one that did not end within `max_new_tokens`.

    `cut`: such an answer is returned as far as it went.
    The same for the same seed on the same device; random numbers elsewhere are not affected.
    """
    import torch
    from transformers import GenerationConfig

    encoded = [model.prompt_ids(messages) for messages in prompts]
    order = sorted(range(len(encoded)), key=lambda at: -len(encoded[at]))
    end, device, found = model.end_tokens, model.model.device, {}
    pad = model.tokenizer.pad_token_id if model.tokenizer.pad_token_id is not None else end[0]
    how = GenerationConfig(
        do_sample=True, temperature=TEMPERATURE, top_p=TOP_P, top_k=0, max_new_tokens=max_new_tokens,
        eos_token_id=end, pad_token_id=pad,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []), torch.inference_mode():
        torch.manual_seed(seed)
        for batch in model.batches(encoded, order, max_new_tokens, BATCHES * model.batch_size):
            inputs, mask = pad_left([encoded[at] for at in batch], pad, device)
            output = model.model.generate(input_ids=inputs, attention_mask=mask, generation_config=how)
            for at, ids in zip(batch, output[:, inputs.shape[1] :].tolist(), strict=True):
                length = next((position for position, token in enumerate(ids) if token in end), None)
                kept = cut or length is not None
                text = model.tokenizer.decode(ids[:length], skip_special_tokens=True) if kept else ""
                found[at] = text.strip()
            listener(Progress(task=task, done=len(found), total=len(order)))
    return [found[at] for at in range(len(prompts))]
