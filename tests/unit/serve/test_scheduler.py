"""Which questions are decoded together, when they join and leave, and how they end; the batch is a fake."""

from queue import SimpleQueue
from threading import Event, Thread

import pytest

from toolkit.core.errors import ModelError
from toolkit.model.generation import Row, Token
from toolkit.serve import scheduler as module
from toolkit.serve.scheduler import Question, Scheduler

END = 0
WITHIN_S = 60


class FakeBatch:
    """Answers each row with its prompt, token by token, and then the end token; -1 stands for a broken row.

    `calls`: the prompts in each call. A call waits for a permit, so that a test decides what arrives before it.
    """

    def __init__(self):
        self.rows, self.positions, self.calls, self.permits, self.failures = [], {}, [], SimpleQueue(), {}

    def allow(self, calls=100):
        for _ in range(calls):
            self.permits.put(None)

    def join(self, rows):
        tokens = self._next("join", rows)
        self.rows = [*self.rows, *rows]
        return tokens

    def step(self):
        return self._next("step", self.rows)

    def _next(self, kind, rows):
        self.permits.get(timeout=WITHIN_S)
        self.calls.append((kind, [bytes(row.prompt).decode() for row in rows]))
        if error := self.failures.pop(kind, None):
            raise error
        return [self._token(row) for row in rows]

    def _token(self, row):
        position = self.positions[row] = self.positions.get(row, -1) + 1
        id_ = [*row.prompt, END][position]
        if id_ == ord("!"):
            return None
        return (
            Token(id=id_, logprob=-1.0, alternatives=((id_, -1.0),)) if row.top_logprobs is not None else Token(id=id_)
        )

    def leave(self, rows):
        self.rows = [row for row in self.rows if row not in rows]

    def clear(self):
        self.rows = []


class Letters:
    """A token is a character."""

    def decode(self, ids, **_):
        return "".join(map(chr, [ids] if isinstance(ids, int) else ids))


@pytest.fixture(name="batch")
def _batch():
    return FakeBatch()


@pytest.fixture(name="scheduler")
def _scheduler(batch):
    scheduler = Scheduler(batch, Letters(), end_tokens=[END], batch_size=2)
    scheduler.start()
    yield scheduler
    batch.allow()
    assert scheduler.close()


class Client:
    """A question, and what was delivered as its answer."""

    def __init__(self, text, *, longest=100, stop=(), top_logprobs=None):
        self.found = SimpleQueue()
        self.cancelled = Event()
        self.question = Question(
            row=Row(prompt=text.encode(), top_logprobs=top_logprobs), max_new_tokens=longest, stop=stop,
            deliver=self.found.put, cancelled=self.cancelled,
        )  # fmt: skip

    def parts(self):
        """All of them; raises what ended them."""
        parts = []
        while (part := self.found.get(timeout=WITHIN_S)) is not None:
            if isinstance(part, Exception):
                raise part
            parts.append(part)
        assert self.found.empty()
        return parts

    def text(self):
        return "".join(part.text for part in self.parts())


def submit(scheduler, *texts, **settings):
    clients = [Client(text, **settings) for text in texts]
    scheduler.submit(*(client.question for client in clients))
    return clients


def test_an_answer_comes_token_by_token_and_ends_with_its_reason(scheduler, batch):
    batch.allow()
    [client] = submit(scheduler, "abc")
    parts = client.parts()

    assert [part.text for part in parts] == ["a", "b", "c", ""]
    assert [part.tokens for part in parts] == [1, 2, 3, 4]
    assert [part.finish_reason for part in parts] == [None, None, None, "stop"]


def test_questions_that_come_together_are_decoded_together(scheduler, batch):
    batch.allow()
    one, two = submit(scheduler, "ab", "cd")

    assert (one.text(), two.text()) == ("ab", "cd")
    assert batch.calls == [("join", ["ab", "cd"]), ("step", ["ab", "cd"]), ("step", ["ab", "cd"])]


def test_a_later_question_joins_between_two_tokens(scheduler, batch):
    [one] = submit(scheduler, "abcd")
    batch.allow(1)
    assert one.found.get(timeout=WITHIN_S).text == "a"
    [two] = submit(scheduler, "xy")
    batch.allow()

    assert (one.text(), two.text()) == ("bcd", "xy")
    assert ("join", ["xy"]) in batch.calls
    assert ("step", ["abcd", "xy"]) in batch.calls


def test_where_there_is_no_room_questions_wait_in_their_order(scheduler, batch):
    batch.allow()
    clients = submit(scheduler, "a", "bbbb", "cc", "d")

    assert [client.text() for client in clients] == ["a", "bbbb", "cc", "d"]
    joins = [prompts for kind, prompts in batch.calls if kind == "join"]
    assert joins == [["a", "bbbb"], ["cc"], ["d"]]
    assert max(len(prompts) for _, prompts in batch.calls) == 2


def test_an_answer_has_at_most_its_number_of_tokens(scheduler, batch):
    batch.allow()
    [client] = submit(scheduler, "abcdef", longest=2)
    parts = client.parts()

    assert "".join(part.text for part in parts) == "ab"
    assert (parts[-1].tokens, parts[-1].finish_reason) == (2, "length")


def test_a_stop_text_ends_the_row_and_not_only_the_text(scheduler, batch):
    batch.allow()
    [client] = submit(scheduler, "abcdef", stop=("cd",))
    parts = client.parts()

    assert "".join(part.text for part in parts) == "ab"
    assert (parts[-1].tokens, parts[-1].finish_reason) == (4, "stop")
    assert len(batch.calls) == 4


def test_each_token_has_its_logprobs_if_asked(scheduler, batch):
    batch.allow()
    [client] = submit(scheduler, "ab", top_logprobs=1)
    entries = [entry for part in client.parts() for entry in part.logprobs]

    alternative = {"token": "a", "logprob": -1.0, "bytes": [97]}
    assert entries[0] == {**alternative, "top_logprobs": [alternative]}
    assert [entry["token"] for entry in entries] == ["a", "b", "\0"]


def test_logprobs_of_tokens_without_text_come_with_the_next_part(scheduler, batch):
    batch.allow()
    [client] = submit(scheduler, "abc", top_logprobs=0, stop=("ax",))
    first = client.parts()[0]

    assert first.text == "ab"
    assert [entry["token"] for entry in first.logprobs] == ["a", "b"]


def test_a_cancelled_answer_ends_at_its_next_token_and_the_others_go_on(scheduler, batch):
    one, two = submit(scheduler, "aaaaaa", "bbb")
    batch.allow(1)
    assert one.found.get(timeout=WITHIN_S).text == "a"
    one.cancelled.set()
    batch.allow()

    assert len(one.text()) <= 1  # the token that was being decoded
    assert two.text() == "bbb"
    assert batch.calls[-1] == ("step", ["bbb"])


def test_a_question_that_is_cancelled_while_it_waits_is_never_decoded(scheduler, batch):
    one, two, three = submit(scheduler, "aa", "bb", "cc")
    three.cancelled.set()
    batch.allow()

    assert (one.text(), two.text(), three.text()) == ("aa", "bb", "")
    assert not any("cc" in prompts for _, prompts in batch.calls)


def test_a_failing_step_ends_its_answers_and_not_the_next(scheduler, batch):
    one, two = submit(scheduler, "aa", "bb")
    batch.allow(1)
    assert one.found.get(timeout=WITHIN_S).text == "a"
    batch.failures["step"] = RuntimeError("out of memory")
    batch.allow()

    for client in (one, two):
        with pytest.raises(RuntimeError, match="out of memory"):
            client.parts()
    [three] = submit(scheduler, "cc")
    assert three.text() == "cc"


def test_a_prompt_that_fails_ends_only_its_own_answer(scheduler, batch):
    [one] = submit(scheduler, "aaa")
    batch.allow(1)
    assert one.found.get(timeout=WITHIN_S).text == "a"
    [two] = submit(scheduler, "bb")
    batch.failures["join"] = RuntimeError("too long")
    batch.allow()

    with pytest.raises(RuntimeError, match="too long"):
        two.parts()
    assert one.text() == "aa"


def test_a_row_with_broken_logits_ends_with_an_error_and_the_others_go_on(scheduler, batch):
    batch.allow()
    broken, sound = submit(scheduler, "a!", "bbb")

    with pytest.raises(ModelError, match="not finite"):
        broken.parts()
    assert sound.text() == "bbb"


def test_the_end_cancels_what_is_active_and_what_waits(batch):
    scheduler = Scheduler(batch, Letters(), end_tokens=[END], batch_size=1)
    scheduler.start()
    active, waiting = submit(scheduler, "a" * 50, "b")
    batch.allow(1)
    assert active.found.get(timeout=WITHIN_S).text == "a"
    ended = []
    closing = Thread(target=lambda: ended.append(scheduler.close()))
    closing.start()
    batch.allow()
    closing.join(WITHIN_S)

    assert ended == [True]
    assert waiting.text() == ""
    assert all(part.finish_reason is None for part in active.parts())


def test_the_end_does_not_wait_forever_for_a_model_that_hangs(batch, monkeypatch):
    monkeypatch.setattr(module, "QUIET_WITHIN_S", 0.1)
    scheduler = Scheduler(batch, Letters(), end_tokens=[END], batch_size=1)
    scheduler.start()
    [client] = submit(scheduler, "aa")
    batch.allow(1)
    assert client.found.get(timeout=WITHIN_S).text == "a"

    assert not scheduler.close()
    batch.allow()
    monkeypatch.undo()
    assert scheduler.close()
