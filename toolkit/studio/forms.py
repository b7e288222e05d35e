"""What a form sends, bounded while it arrives: fields, and at most one file. Nothing is written to a disk here."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from email.parser import BytesParser
from email.policy import HTTP
from urllib.parse import parse_qs

from starlette.requests import ClientDisconnect, Request

from toolkit.core.errors import DataError
from toolkit.studio.workspace import MOST_UPLOADED

URLENCODED, MULTIPART = "application/x-www-form-urlencoded", "multipart/form-data"
MOST_TYPED = 2_000_000  # bytes of a form without a file
MOST_FIELDS = 20_000  # a tick for each question that a model may have written
SURROUNDINGS = 100_000  # bytes around a file


@dataclass(frozen=True, kw_only=True)
class Form:
    """Fields with their values in the order of the form, each line end one character; `file` is (name, content)."""

    fields: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    file: tuple[str, bytes] | None = None

    def text(self, name: str) -> str:
        """The field's value; "" without it."""
        return next(iter(self.fields.get(name, ())), "")

    def several(self, name: str) -> tuple[str, ...]:
        return self.fields.get(name, ())


async def read_form(request: Request) -> Form:
    """Raises DataError for what is too long, or is not a form."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == URLENCODED:
        return _typed(await _body(request, MOST_TYPED))
    if kind == MULTIPART:
        return _with_file(request.headers["content-type"], await _body(request, MOST_UPLOADED + SURROUNDINGS))
    raise DataError("The request is not a form.", next="Use the page's own buttons.")


async def _body(request: Request, most: int) -> bytes:
    length = request.headers.get("content-length", "0")
    body = bytearray()
    if length.isdigit() and int(length) <= most:
        try:
            async for chunk in request.stream():
                body += chunk
                if len(body) > most:
                    break
            else:
                return bytes(body)
        except ClientDisconnect:
            raise DataError("The browser left before the form had arrived.", next="Send it again.") from None
    raise DataError(f"The form has more than {most / 1e6:.0f} MB.", next="Put the file into the work folder by hand.")


def _typed(body: bytes) -> Form:
    try:
        found = parse_qs(body.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="strict")
    except ValueError as error:
        raise DataError(f"The form cannot be read: {error}.", next="Use the page's own buttons.") from None
    return Form(fields={name: tuple(map(_lines, values)) for name, values in found.items()})


def _with_file(content_type: str, body: bytes) -> Form:
    head = f"Content-Type: {content_type}\r\n\r\n".encode("latin-1", "replace")
    message = BytesParser(policy=HTTP).parsebytes(head + body)
    fields: dict[str, tuple[str, ...]] = {}
    file = None
    for part in message.iter_parts() if message.is_multipart() else ():
        name, content = part.get_param("name", header="content-disposition"), part.get_payload(decode=True)
        if not isinstance(name, str) or not isinstance(content, bytes):
            continue
        if (file_name := part.get_filename()) is not None:
            file = (file_name, content) if file_name else file
        else:
            fields[name] = (*fields.get(name, ()), _lines(content.decode("utf-8", "replace")))
    return Form(fields=fields, file=file)


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n")
