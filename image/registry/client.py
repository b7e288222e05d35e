"""An oras client whose requests our own code sends, each once."""

from collections.abc import Callable
from typing import Any

from image.core.address import Address
from image.registry.transport import Answer

Send = Callable[..., Answer]  # method, url, and the options of Transport.send


def make_client(address: Address, send: Send, *, plain_http: bool) -> Any:
    """An oras.provider.Registry, for its URLs and its upload protocol. `send` judges the answer."""
    import oras.logger
    from oras.provider import Registry

    oras.logger.logger.logger.disabled = True  # it would report failures before we do

    class Client(Registry):  # type: ignore[misc]  # oras has no types
        def do_request(
            self, url: str, method: str = "GET", data: Any = None, headers: Any = None, json: Any = None,  # noqa: ARG002
            stream: bool = False,  # noqa: ARG002
        ) -> Answer:  # fmt: skip
            """Sends the request once; oras would send it five times, with its body, even if the first answer is 401."""
            return send(method, url, headers=headers, data=data)

    return Client(address.server, insecure=plain_http)
