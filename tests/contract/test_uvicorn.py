"""What the toolkit relies on in uvicorn beyond its documentation. An upgrade begins in docs/fragile.md."""

import inspect
import re

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle


def test_a_connection_is_an_h11_protocol_with_these_methods():
    """`LimitedConnection` overrides the methods and reads the attributes."""
    source = inspect.getsource(H11Protocol)
    methods = ("connection_made", "data_received", "on_response_complete", "pause_writing", "resume_writing",
               "connection_lost")  # fmt: skip

    assert all(callable(getattr(H11Protocol, name)) for name in methods)
    assert "self.send_400_response(msg)" in source
    assert "on_response=self.on_response_complete" in source
    assert all(f"self.{name}" in source for name in ("connections", "cycle", "conn", "loop", "transport"))
    cycle = inspect.getsource(RequestResponseCycle)
    assert re.search(r"self.response_started = True\n", cycle)
    assert re.search(r"self.response_complete = True\n", cycle)
    assert "http" in inspect.signature(uvicorn.Config).parameters
