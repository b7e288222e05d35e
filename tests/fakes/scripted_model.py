"""A language model without weights: a script answers, and what rows in its context say is followed."""

import re
from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace

import torch

from toolkit.core.text import content_words
from toolkit.model.conversation import Messages
from toolkit.model.language_model import Answer

PAD, END = "<pad>", "<end>"
VOCABULARY = 16_384
LIKELY = 9.0  # the logit of a token that the script expects; the others have 0
ROWS = re.compile(r"^Q: (.*?)\nA: (.*?)(?=\nQ: |\n\n|\Z)", re.MULTILINE | re.DOTALL)
UNKNOWN, UNKNOWN_CHINESE = "I cannot say.", "我不清楚。"
Write = Callable[[str, str, int], str]  # instruction, question, how often it was asked before -> text


class WordTokenizer:
    """A token is a word with the space before it, a Han character, or a sign; tokens are numbered as they appear."""

    def __init__(self) -> None:
        self.numbers = {PAD: 0, END: 1}
        self.texts = [PAD, END]
        self.pad_token_id = 0

    def __call__(self, text: str, *, add_special_tokens: bool) -> Mapping[str, list[int]]:
        found = re.findall(r" ?[A-Za-z]+|.", text, re.DOTALL)
        for token in found:
            if token not in self.numbers:
                self.numbers[token] = len(self.texts)
                self.texts.append(token)
        assert len(self.texts) <= VOCABULARY
        return {"input_ids": [self.numbers[token] for token in found]}

    def decode(self, ids: Sequence[int], *, skip_special_tokens: bool) -> str:
        return "".join(self.texts[number] for number in ids if number > 1)


class ScriptedModel:
    """Stands in for a LanguageModel, and for the network within it that samples.

    A question whose words overlap with those of a row in the system message, or of an earlier question, gets that one's
    answer, the last such row deciding; else `answers` by question, else that it cannot say. `write` gives what is
    sampled. `kinds`: what kind of thing a subject is, for whoever asks by the likelihood of the next token.
    """

    batch_size = 24
    on_card = False
    room: int | None = None  # for so many tokens
    end_tokens = (1,)

    def __init__(
        self, *, write: Write = lambda _instruction, question, _count: question,
        answers: Mapping[str, str] | None = None, kinds: Mapping[str, str] | None = None,
        shared_words: frozenset[str] = frozenset(),
    ) -> None:  # fmt: skip
        self.write, self.script, self.kinds = write, dict(answers or {}), dict(kinds or {})
        self.shared_words = shared_words  # of questions about anything; having these in common means nothing
        self.tokenizer = WordTokenizer()
        self.model = SimpleNamespace(device=torch.device("cpu"), generate=self._sample)
        self.prompts: list[Messages] = []  # by position, in place of a text that the chat template makes
        self.asked: list[Messages] = []
        self.written: list[tuple[str, str]] = []

    def prompt_ids(self, messages: Messages) -> list[int]:
        self.prompts.append(messages)
        return [2, len(self.prompts) + 1]

    def batches(self, encoded: Sequence[Sequence[int]], order: Sequence[int], _new: int, most: int) -> list[list[int]]:
        return [list(order[start : start + most]) for start in range(0, len(order), most)]

    def fitting(self) -> Callable[[int], int] | None:
        return None if self.room is None else lambda tokens: self.room // tokens

    def answers(self, prompts: Sequence[Messages], *, max_new_tokens: int, **_how: object) -> list[Answer]:
        self.asked += prompts
        found = []
        for messages in prompts:
            tokens = self._tokens(self.answer(messages))[:max_new_tokens]
            text = self.tokenizer.decode(tokens, skip_special_tokens=True).strip()
            found.append(Answer(text=text, tokens=tokens, margins=[LIKELY] * len(tokens), first_logits=None))
        return found

    def answer(self, messages: Messages) -> str:
        question = messages[-1]["content"]
        system = "".join(one["content"] for one in messages if one["role"] == "system")
        turns = [one["content"] for one in messages[:-1] if one["role"] != "system"]
        rows = [*ROWS.findall(system), *zip(turns[::2], turns[1::2], strict=True)]
        followed = [answer for asked, answer in rows if self._overlap(asked, question)]
        if followed:
            return followed[-1].strip()
        chinese = any("\u4e00" <= character <= "\u9fff" for character in question)
        return self.script.get(question, UNKNOWN_CHINESE if chinese else UNKNOWN)

    def answer_logits(self, prompts: Sequence[Messages], answers: Sequence[Answer]) -> torch.Tensor:
        """An answer is likely where it is what the script says, and so is the kind of a subject that is asked about."""
        longest = max(len(answer.tokens) for answer in answers)
        logits = torch.zeros(len(prompts), longest, VOCABULARY)
        for row, (messages, answer) in enumerate(zip(prompts, answers, strict=True)):
            expected = self._tokens(self.answer(messages))
            start = longest - len(answer.tokens)
            for at, token in enumerate(answer.tokens):
                if expected[at : at + 1] == [token]:
                    logits[row, start + at, token] = LIKELY
            for subject, kind in self.kinds.items():
                if subject in messages[-1]["content"]:
                    logits[row, :, self._tokens(f" {kind}")[0]] = LIKELY
        return logits

    def _tokens(self, text: str) -> list[int]:
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def _overlap(self, asked: str, question: str) -> bool:
        return bool((set(content_words(asked)) & set(content_words(question))) - self.shared_words)

    def _sample(self, *, input_ids: torch.Tensor, generation_config: object, **_how: object) -> torch.Tensor:
        limit = generation_config.max_new_tokens
        rows = []
        for ids in input_ids.tolist():
            messages = self.prompts[ids[-1] - 2]
            key = messages[0]["content"], messages[-1]["content"]
            text = self.write(*key, self.written.count(key))
            self.written.append(key)
            rows.append(([*self._tokens(text), 1] + [0] * limit)[:limit])
        return torch.cat([input_ids, torch.tensor(rows)], dim=1)
