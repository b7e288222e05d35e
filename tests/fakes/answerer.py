"""Answers without a model: what it was asked, word by word; and a site over it, on a port of its own."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from toolkit.data.tools.forms import HERMES
from toolkit.serve.completion import AnswerPart
from toolkit.serve.routes import Site, SiteConfig
from toolkit.serve.server import listen, take_port


class FakeAnswerer:
    """`texts`: model to question to answer; by default an answer names its model and the number of messages.

    The question "forever" is answered until it is cancelled, "silent" says nothing until then, "break" fails after the
    first word. A token is a character.
    """

    names, aliases = ("base", "tuned"), ("other name",)
    context_tokens = 100_000
    thinks = False

    def __init__(self, texts=None):
        self.texts = texts or {}
        self.requests = []
        self.closed = False
        self.cancelled = []  # of each question, the event that cancels it

    def call_form(self):
        return HERMES

    async def encode(self, messages):
        return [ord(character) for message in messages for character in message["content"]]

    async def answer(self, request, prompt, cancelled):
        self.requests.append(request)
        self.cancelled.append(cancelled)
        question = request.messages[-1]["content"]
        if question == "forever":
            while not cancelled.is_set():
                yield AnswerPart(text="and on ", tokens=1)
                await asyncio.sleep(0.01)
            return
        if question == "silent":
            await asyncio.to_thread(cancelled.wait)
            return
        default = f"{request.model} received {len(request.messages)} messages"
        words = (self.texts.get(request.model, {}).get(question) or default).split(" ")
        for number, word in enumerate(words, start=1):
            last = number == len(words)
            yield AnswerPart(text=f"{word} ", tokens=number, finish_reason="stop" if last else None)
            if question == "break":
                raise RuntimeError("secret question: out of memory")

    def close(self):
        self.closed = True


CONFIG = {"system": "As trained.", "max_new_tokens": 100, "max_concurrent": 8}


def make_site(answerer=None, **config) -> Site:
    notices = []
    site = Site(answerer=answerer or FakeAnswerer(), config=SiteConfig(**{**CONFIG, **config}), notify=notices.append)
    site.notices = notices
    return site


@contextmanager
def listening(site: Site) -> Iterator[str]:
    """The address of the site, served from a thread."""
    ready, servers = threading.Event(), []
    with take_port("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        thread = threading.Thread(
            target=listen, args=(site.app(), taken),
            kwargs={"ready": ready.set, "stop": site.stop, "on_server": servers.append}, daemon=True,
        )  # fmt: skip
        thread.start()
        assert ready.wait(30)
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            servers[0].handle_exit(2, None)
            thread.join(30)
    assert not thread.is_alive()
