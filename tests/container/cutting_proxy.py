"""A TCP proxy on loopback that drops its first connections in the middle, as a poor line does."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class Proxy:
    target: tuple[str, int]
    cut_after_bytes: int
    cuts_left: int
    listener: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))
    carried_bytes: int = 0  # towards the registry
    cut: int = 0

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.listener.getsockname()[1]}"

    def serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                server = socket.create_connection(self.target)
                threading.Thread(target=self._carry, args=(client, server, True), daemon=True).start()
                threading.Thread(target=self._carry, args=(server, client, False), daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket, upwards: bool) -> None:
        carried = 0
        with suppress(OSError):
            while piece := source.recv(65536):
                sink.sendall(piece)
                carried += len(piece)
                if upwards:
                    self.carried_bytes += len(piece)
                    if carried > self.cut_after_bytes and self.cuts_left > 0:
                        self.cuts_left -= 1
                        self.cut += 1
                        break
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


@contextmanager
def cutting_proxy(target: str, *, cut_after_bytes: int, cuts: int) -> Iterator[Proxy]:
    host, port = target.split(":")
    proxy = Proxy(target=(host, int(port)), cut_after_bytes=cut_after_bytes, cuts_left=cuts)
    threading.Thread(target=proxy.serve, daemon=True).start()
    try:
        yield proxy
    finally:
        proxy.listener.close()
