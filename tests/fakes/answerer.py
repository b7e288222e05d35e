"""Answers without a model: what it was asked, in pieces; and a site over it, on a port of its own."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from toolkit.serve.routes import Rules, Site
from toolkit.serve.server import listen, take_port


class FakeAnswerer:
    """`says`: model to question to answer; else it tells which model speaks and how many messages it was given.

    The question "forever" is answered until nobody listens, "silent" says nothing until then, "break" fails after the
    first piece.
    """

    names = ("base", "tuned")
    context_tokens = 100_000

    def __init__(self, says=None):
        self.says = says or {}
        self.asked = []
        self.ended = False
        self.gone = []  # of each question, what is set when nobody waits for its answer

    def count_tokens(self, messages):
        return sum(len(one["content"]) for one in messages)

    def _text(self, asked):
        question = asked.messages[-1]["content"]
        return self.says.get(asked.model, {}).get(question) or f"{asked.model} was told {len(asked.messages)} messages"

    async def whole(self, asked, gone):
        self.asked.append(asked)
        self.gone.append(gone)
        match asked.messages[-1]["content"]:
            case "forever":
                await asyncio.to_thread(gone.wait)
            case "break":
                raise RuntimeError("secret question: out of memory")
        message = {"role": "assistant", "content": self._text(asked)}
        return {"object": "chat.completion", "model": asked.model, "choices": [{"index": 0, "message": message}]}

    async def pieces(self, asked, gone):
        self.asked.append(asked)
        self.gone.append(gone)
        question = asked.messages[-1]["content"]
        if question == "forever":
            while not gone.is_set():
                yield self._chunk(asked, "and on ")
                await asyncio.sleep(0.01)
        if question == "silent":
            await asyncio.to_thread(gone.wait)
        for word in self._text(asked).split(" "):
            yield self._chunk(asked, f"{word} ")
            if question == "break":
                raise RuntimeError("secret question: out of memory")
        yield {**self._chunk(asked, ""), "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}

    def end(self):
        self.ended = True

    @staticmethod
    def _chunk(asked, text):
        choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
        return {"id": "1", "object": "chat.completion.chunk", "model": asked.model, "choices": [choice]}


RULES = {"system": "As trained.", "max_new_tokens": 100, "max_concurrent": 8}


def make_site(answerer=None, **rules) -> Site:
    said = []
    site = Site(answerer=answerer or FakeAnswerer(), rules=Rules(**{**RULES, **rules}), notify=said.append)
    site.said = said
    return site


@contextmanager
def listening(site: Site) -> Iterator[str]:
    """The address of the site, served from a thread."""
    ready, servers = threading.Event(), []
    with take_port("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        thread = threading.Thread(
            target=listen, args=(site.app(), taken),
            kwargs={"ready": ready.set, "stop": site.stop, "served": servers.append}, daemon=True,
        )  # fmt: skip
        thread.start()
        assert ready.wait(30)
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            servers[0].handle_exit(2, None)
            thread.join(30)
    assert not thread.is_alive()
