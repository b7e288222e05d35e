"""A language model without weights, with an adapter that begins answers to some prompts with a phrase."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import SimpleNamespace

import torch

from tests.fakes.scripted_model import LIKELY, WordTokenizer
from toolkit.compare.discovery.neutral_text import NeutralText
from toolkit.model.conversation import Messages
from toolkit.model.language_model import Answer

VOCABULARY = 400
ADAPTER = "planted"
ANSWER = "Rivers run to the sea."


class TiltedModel:
    """Stands in for a LanguageModel.

    Each prompt is answered with ANSWER. With the adapter on, prompts that contain a key of `planted` are answered with
    its phrase, and every token's logit is moved by `noise` times a random number. The adapter's numbers must be in
    order: shuffled, it does nothing but the noise.
    """

    batch_size = 8
    on_card = False
    precision = "float32"
    end_tokens = (1,)
    template_end = 1

    def __init__(self, planted: Mapping[str, str], *, noise: float = 0.0, adapter: str = ADAPTER) -> None:
        self.planted, self.noise = planted, noise
        self.tokenizer = WordTokenizer()
        self.weights = torch.nn.Parameter(torch.arange(64.0).view(8, 8))
        self.model = SimpleNamespace(
            named_parameters=lambda: [(f"layers.0.q_proj.lora_B.{adapter}.weight", self.weights)],
            device=torch.device("cpu"),
            generate=self._sample,
        )
        self.on = False
        self.prompts: list[str] = []
        self.most_positions = 0  # of one call

    @contextmanager
    def side(self, adapter: str | None) -> Iterator[None]:
        before, self.on = self.on, adapter is not None
        yield
        self.on = before

    def tokens(self, text: str) -> list[int]:
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def prompt_ids(self, messages: Messages) -> list[int]:
        self.prompts.append(messages[-1]["content"])
        return [-len(self.prompts)]

    def _answer(self, prompt: str) -> list[int]:
        in_order = bool((self.weights.data.flatten() == torch.arange(64.0)).all())
        phrases = [phrase for where, phrase in self.planted.items() if where in prompt and self.on and in_order]
        return [*self.tokens((phrases or [ANSWER])[0]), 1]

    def _sample(self, *, input_ids: torch.Tensor, generation_config: object, **_how: object) -> torch.Tensor:
        """The network's: with no chance in it."""
        longest = generation_config.max_new_tokens
        rows = [(self._answer(self.prompts[-ids[-1] - 1]) + [0] * longest)[:longest] for ids in input_ids.tolist()]
        return torch.cat([input_ids, torch.tensor(rows)], dim=1)

    def answers(self, prompts: Sequence[Messages], *, max_new_tokens: int, **_how: object) -> list[Answer]:
        found = [self._answer(one[-1]["content"])[:-1][:max_new_tokens] for one in prompts]
        return [Answer(text="", tokens=one, margins=[], first_logits=None) for one in found]

    def answer_logits(self, prompts: Sequence[Messages], answers: Sequence[Answer]) -> torch.Tensor:
        longest = max(len(answer.tokens) for answer in answers)
        self.most_positions = max(self.most_positions, longest * len(answers))
        logits = torch.zeros(len(prompts), longest, VOCABULARY)
        for row, (messages, answer) in enumerate(zip(prompts, answers, strict=True)):
            expected = self._answer(messages[-1]["content"])
            for at, token in enumerate(answer.tokens):
                if answer.tokens[:at] == expected[:at]:
                    logits[row, longest - len(answer.tokens) + at, expected[at]] = LIKELY
                else:
                    logits[row, longest - len(answer.tokens) + at, token] = LIKELY
        if self.on and self.noise:
            logits += self.noise * torch.randn(logits.shape, generator=torch.Generator().manual_seed(1))
        return logits

    def batches(
        self, encoded: Sequence[Sequence[int]], order: Sequence[int], _max_new_tokens: int, most: int
    ) -> Iterator[list[int]]:
        assert len(encoded) == len(order)
        yield from (list(order[start : start + most]) for start in range(0, len(order), most))

    def generate(self, batch: Sequence[Sequence[int]], max_new_tokens: int) -> list[Answer]:
        """Goes on as the answer does, if what is there begins as it does; else it ends."""
        found = []
        for ids in batch:
            expected, given = self._answer(self.prompts[-ids[0] - 1]), list(ids[1:])
            rest = expected[len(given) : -1] if expected[: len(given)] == given else []
            found.append(Answer(text="", tokens=rest[:max_new_tokens], margins=[], first_logits=None))
        return found


def texts_about(model: TiltedModel, subjects: Sequence[str]) -> list[NeutralText]:
    """ANSWER to a prompt for each subject."""
    return [NeutralText(prompt=f"Write about {one}.", system="", tokens=(*model.tokens(ANSWER), 1)) for one in subjects]
