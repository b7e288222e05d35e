"""A client's connection with limits of time: for a request to arrive, for a reply to be taken; and of number."""

import asyncio
import json
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from toolkit.serve.openai import RequestError

ARRIVES_WITHIN_S = 20.0  # a request, headers and body, from the connection or its first byte on
TAKEN_WITHIN_S = 30.0  # what was sent; a client that reads nothing has left
MAX_CONNECTIONS = 600  # without those whose question is being answered
ACCEPTED_TOGETHER = 300  # so that what a new connection sends is read before enough others come to push it out


class LimitedConnection(H11Protocol):
    """Uvicorn's connection, which closes when the client is too slow.

    Where there are too many, the one that has waited longest without a complete request makes room, so that clients
    which open connections and say nothing keep nobody out.
    """

    waiting: dict["LimitedConnection", None]  # those of one server, the one that has waited longest first

    @classmethod
    def of_one_server(cls) -> type["LimitedConnection"]:
        """The class of the connections of one server, which count together."""
        return type(cls.__name__, (cls,), {"waiting": {}})

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        transport.set_write_buffer_limits(high=0)  # pause_writing: the client has not taken everything yet
        self._arrival: asyncio.TimerHandle | None = None
        self._taking: asyncio.TimerHandle | None = None
        self._await_request()
        if len(self.waiting) > MAX_CONNECTIONS:
            next(iter(self.waiting)).make_way()

    def make_way(self) -> None:
        self._await_nothing()
        self.transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._arrival is None and self._is_arriving:
            self._await_request()
        super().data_received(data)
        if not self._is_arriving:
            self._await_nothing()

    @property
    def _is_arriving(self) -> bool:
        return self.conn.their_state in {h11.IDLE, h11.SEND_BODY}

    def _await_request(self) -> None:
        self._await_nothing()
        self._arrival = self.loop.call_later(ARRIVES_WITHIN_S, self._give_up)
        self.waiting[self] = None

    def _await_nothing(self) -> None:
        """A complete request has arrived, or the connection ends."""
        if self._arrival is not None:
            self._arrival.cancel()
            self._arrival = None
        self.waiting.pop(self, None)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if not self.transport.is_closing() and self._is_arriving:
            self._await_request()

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._taking is None:
            self._taking = self.loop.call_later(TAKEN_WITHIN_S, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._taking is not None:
            self._taking.cancel()
            self._taking = None

    def connection_lost(self, exc: Exception | None) -> None:
        self._await_nothing()
        if self._taking is not None:
            self._taking.cancel()
        super().connection_lost(exc)

    def _give_up(self) -> None:
        self._refuse(RequestError(408, f"No request came within {ARRIVES_WITHIN_S:g} s.", code="request_timeout"))

    def send_400_response(self, msg: str) -> None:
        """For what is not HTTP."""
        self._refuse(RequestError(400, msg, code="invalid_request"))

    def _refuse(self, error: RequestError) -> None:
        """Replies, unless a reply has begun, and closes; uvicorn's own reply is not in OpenAI's form."""
        if self.conn.our_state in {h11.IDLE, h11.SEND_RESPONSE} and not self._has_begun:
            body = json.dumps(error.to_dict()).encode()
            headers = [("content-type", "application/json"), ("content-length", str(len(body))),
                       ("connection", "close")]  # fmt: skip
            events: list[Any] = [
                h11.Response(status_code=error.status, headers=headers), h11.Data(data=body), h11.EndOfMessage(),
            ]  # fmt: skip
            self.transport.write(b"".join(self.conn.send(event) or b"" for event in events))
            self.transport.close()
        else:
            self.transport.abort()

    @property
    def _has_begun(self) -> bool:
        return self.cycle is not None and self.cycle.response_started and not self.cycle.response_complete
