"""The bodies of requests on their way in: bounded one by one, and all of them together."""

from starlette.requests import ClientDisconnect, Request

from toolkit.serve.openai import RequestError

BYTES_A_TOKEN = 16  # no text that people or programs write has more; Chinese has 4 to 5, English 4
SURROUNDINGS_BYTES = 64_000  # settings, and the frame of the messages
ESCAPES = 4  # JSON writes a Chinese character of 3 bytes as \uXXXX: 6; quotes and line breaks double
LARGEST_BYTES = 4_000_000
ALL_BYTES = 64_000_000  # of all the bodies that arrive at the same time


def largest_body_bytes(context_tokens: int) -> int:
    """The longest JSON body that can be a question to a model that reads so many tokens."""
    return min(LARGEST_BYTES, SURROUNDINGS_BYTES + ESCAPES * BYTES_A_TOKEN * context_tokens)


def left() -> RequestError:
    """For a client that does not wait any more: nobody reads it."""
    return RequestError(499, "The client disconnected.", code="client_left")


class Bodies:
    """Reads JSON bodies of at most `largest_bytes`."""

    def __init__(self, largest_bytes: int) -> None:
        self.largest_bytes = largest_bytes
        self.arriving_bytes = 0

    async def read(self, request: Request) -> bytes:
        """Requires JSON's content type, which a form on another site cannot send without a CORS preflight.

        Raises RequestError.
        """
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise RequestError(415, "Send JSON: Content-Type: application/json.", code="unsupported_media_type")
        length = request.headers.get("content-length", "0")  # h11 lets only digits through
        self._require_short(int(length) if length.isdigit() else 0)
        body = bytearray()
        try:
            async for chunk in request.stream():
                body += chunk
                self.arriving_bytes += len(chunk)
                self._require_short(len(body))
                if self.arriving_bytes > ALL_BYTES:
                    raise RequestError(503, "Too many questions arrive at once. Ask again later.", code="overloaded")
        except ClientDisconnect:
            raise left() from None
        finally:
            self.arriving_bytes -= len(body)
        return bytes(body)

    def _require_short(self, length: int) -> None:
        if length > self.largest_bytes:
            raise RequestError(413, f"The body is longer than {self.largest_bytes} bytes.", code="body_too_long")
