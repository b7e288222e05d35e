"""One thread that owns the model: it decodes the questions that are here together, one token of each at a time.

A question joins the others between two of their tokens, as soon as there is room, and leaves with its own last token.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Condition, Event, Thread
from typing import Any, Protocol

from toolkit.model.generation import Detokenizer, Row, Token, broken_logits
from toolkit.serve.completion import LENGTH, STOP, AnswerPart, StopTexts

QUIET_WITHIN_S = 30.0  # a step of a large model on a processor takes seconds


class Batch(Protocol):
    """What is used of `DecodingBatch`."""

    rows: list[Row]

    def join(self, rows: Sequence[Row]) -> list[Token | None]: ...
    def step(self) -> list[Token | None]: ...
    def leave(self, rows: Sequence[Row]) -> None: ...
    def clear(self) -> None: ...


@dataclass(frozen=True, eq=False, kw_only=True)
class Question:
    """A row to decode, and where its answer goes.

    `deliver` gets the parts of the answer, then None; or the exception that ended it. It is called in the model's
    thread. `cancelled` is set when nobody waits for the answer any more.
    """

    row: Row
    max_new_tokens: int
    deliver: Callable[[AnswerPart | Exception | None], None]
    cancelled: Event
    stop: tuple[str, ...] = ()


class Answer:
    """The answer to one question, as far as it is decoded."""

    def __init__(self, question: Question, tokenizer: Any, end_tokens: Sequence[int]) -> None:
        self.question, self.tokenizer, self.end_tokens = question, tokenizer, end_tokens
        self.tokens = 0
        self.ended = False
        self._text, self._until_stop = Detokenizer(tokenizer), StopTexts(question.stop)
        self._logprobs: list[dict[str, Any]] = []

    def add(self, token: Token | None) -> None:
        """Delivers what the token makes certain; an end token, a stop text or the length ends the answer."""
        if token is None:
            self.end(broken_logits())
            return
        self.tokens += 1
        if token.logprob is not None:
            self._logprobs.append(self._logprob_entry(token))
        at_end = token.id in self.end_tokens
        last = at_end or self.tokens >= self.question.max_new_tokens
        text = "" if at_end else self._text.add(token.id)
        text = self._until_stop.add(text + self._text.rest() if last else text, last=last)
        if at_end or self._until_stop.stopped:
            self._deliver(text, STOP)
        elif last:
            self._deliver(text, LENGTH)
        elif text:
            self._deliver(text, None)

    def end(self, error: Exception | None = None) -> None:
        """Without an error: the answer was cancelled."""
        self.ended = True
        self.question.deliver(error)

    def _deliver(self, text: str, finish_reason: str | None) -> None:
        logprobs = None if self.question.row.top_logprobs is None else tuple(self._logprobs)
        self._logprobs = []
        self.question.deliver(AnswerPart(text=text, tokens=self.tokens, logprobs=logprobs, finish_reason=finish_reason))
        if finish_reason is not None:
            self.end()

    def _logprob_entry(self, token: Token) -> dict[str, Any]:
        """OpenAI's entry of one token."""

        def named(id_: int, logprob: float | None) -> dict[str, Any]:
            text = self.tokenizer.decode(id_)
            return {"token": text, "logprob": logprob, "bytes": list(text.encode())}

        alternatives = [named(*alternative) for alternative in token.alternatives]
        return {**named(token.id, token.logprob), "top_logprobs": alternatives}


class Scheduler:
    """Answers up to `batch_size` questions together; the others wait in the order in which they came."""

    def __init__(self, batch: Batch, tokenizer: Any, *, end_tokens: Sequence[int], batch_size: int) -> None:
        self.batch, self.tokenizer, self.end_tokens, self.batch_size = batch, tokenizer, end_tokens, batch_size
        self._waiting: list[Question] = []
        self._changed = Condition()
        self._closing = False
        self._thread = Thread(target=self._run, name="model", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def submit(self, *questions: Question) -> None:
        """Questions that are submitted together are decoded together, as far as there is room."""
        with self._changed:
            self._waiting.extend(questions)
            self._changed.notify()

    def close(self) -> bool:
        """Cancels every answer and waits until the model is idle; False if it still computes after QUIET_WITHIN_S.

        A thread inside torch would abort an interpreter that ends.
        """
        with self._changed:
            self._closing = True
            self._changed.notify()
        if self._thread.ident is not None:
            self._thread.join(QUIET_WITHIN_S)
        return not self._thread.is_alive()

    def _run(self) -> None:
        answers: list[Answer] = []  # in the order of the batch's rows
        while (questions := self._admitted(len(answers))) is not None:
            for answer in answers:
                if answer.question.cancelled.is_set():
                    answer.end()
            answers = self._still_open(answers) + self._joined(questions)
            if answers:
                answers = self._stepped(answers)
        for answer in answers:
            answer.end()

    def _admitted(self, active: int) -> list[Question] | None:
        """The waiting questions for which there is room, at least one if nothing is active; None at the end."""
        with self._changed:
            while True:
                cancelled = [question for question in self._waiting if self._closing or question.cancelled.is_set()]
                self._waiting = [question for question in self._waiting if question not in cancelled]
                for question in cancelled:
                    question.deliver(None)
                if self._closing:
                    return None
                if active or self._waiting:
                    break
                self._changed.wait()
            room = self.batch_size - active
            admitted, self._waiting = self._waiting[:room], self._waiting[room:]
            return admitted

    def _joined(self, questions: Sequence[Question]) -> list[Answer]:
        """Answers with their first token, unless it was their last."""
        if not questions:
            return []
        answers = [Answer(question, self.tokenizer, self.end_tokens) for question in questions]
        try:
            tokens = self.batch.join([question.row for question in questions])
        except Exception as error:  # noqa: BLE001  # raised where the answer is awaited
            for answer in answers:
                answer.end(error)
            return []
        return self._extended(answers, tokens)

    def _stepped(self, answers: Sequence[Answer]) -> list[Answer]:
        """Answers with a further token, unless it was their last."""
        try:
            tokens = self.batch.step()
        except Exception as error:  # noqa: BLE001  # raised where the answer is awaited
            self.batch.clear()
            for answer in answers:
                answer.end(error)
            return []
        return self._extended(answers, tokens)

    def _extended(self, answers: Sequence[Answer], tokens: Sequence[Token | None]) -> list[Answer]:
        for answer, token in zip(answers, tokens, strict=True):
            answer.add(token)
        return self._still_open(answers)

    def _still_open(self, answers: Sequence[Answer]) -> list[Answer]:
        """Without those that have ended; these leave the batch."""
        self.batch.leave([answer.question.row for answer in answers if answer.ended])
        return [answer for answer in answers if not answer.ended]
