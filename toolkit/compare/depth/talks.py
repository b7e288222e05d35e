"""The conversations to ask: a probe's question after its history, with the side's own answers where it has none."""

from collections.abc import Sequence
from itertools import zip_longest

from toolkit.core.events import Listener, silent
from toolkit.data.probes import Probe
from toolkit.model.conversation import THINKING, Messages, system_messages, tools_messages
from toolkit.model.language_model import LanguageModel


def talk(probe: Probe, system: str, *, thinking: bool = False) -> Messages:
    """The conversation of a probe whose history has every answer, under its own system prompt if it has one.

    `thinking`: it is to be answered after a thought.
    """
    messages = _opening(probe, system, thinking)
    for question, answer in probe.history:
        messages += [_user(question), _assistant(answer or "")]
    return [*messages, _user(probe.prompt)]


def talks(
    model: LanguageModel, items: Sequence[tuple[Probe, str]], *, max_new_tokens: int, thought_tokens: int | None = None,
    listener: Listener = silent, task: str,
) -> list[Messages]:  # fmt: skip
    """One for each probe and system prompt; the model answers each turn without an answer, all probes at once.

    `thought_tokens`: each is to be answered after a thought of at most so many; None: without one.
    """
    found = [_opening(probe, system, thought_tokens is not None) for probe, system in items]
    thought = {} if thought_tokens is None else {"thought_tokens": thought_tokens}
    for turns in zip_longest(*(probe.history for probe, _ in items)):
        unanswered = []
        for messages, turn in zip(found, turns, strict=True):
            if turn is None:
                continue
            question, answer = turn
            messages.append(_user(question))
            if answer is None:
                unanswered.append(messages)
            else:
                messages.append(_assistant(answer))
        if unanswered:
            prompts = [list(messages) for messages in unanswered]
            answers = model.answers(prompts, max_new_tokens=max_new_tokens, listener=listener, task=task, **thought)
            for messages, own in zip(unanswered, answers, strict=True):
                messages.append(_assistant(own.text))
    return [[*messages, _user(probe.prompt)] for messages, (probe, _) in zip(found, items, strict=True)]


def _opening(probe: Probe, system: str, thinking: bool) -> Messages:
    mark = THINKING if thinking else []
    return [*mark, *tools_messages(probe.tools), *system_messages(system if probe.system is None else probe.system)]


def _user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def _assistant(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}
