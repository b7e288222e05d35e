"""A hub on loopback that takes pushes, with the shapes of modelscope.cn's /api/v1: repositories, blobs, commits."""

import base64
import hashlib
import json
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import unquote, urlsplit

from tests.fakes.writable_hub import LocalServer

TOKEN = "ms-a-token"
PRIVATE = 1


@dataclass
class Kept:
    visibility: int
    files: dict[str, bytes] = field(default_factory=dict)
    changed: dict[str, int] = field(default_factory=dict)  # name → the number of the commit
    commits: list[str] = field(default_factory=list)  # messages


@dataclass(kw_only=True)
class WritableModelScope(LocalServer):
    repositories: dict[str, Kept] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)
    faults: dict[str, int] = field(default_factory=dict)  # part of a path → status

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        return _Handler


def revision(number: int) -> str:
    return f"{number:040x}"


class _Handler(BaseHTTPRequestHandler):
    hub: WritableModelScope
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None: ...

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers.get("Content-Length") or 0)))

    do_PUT = do_DELETE = do_POST  # noqa: N815  # http.server's names

    def _answer(self, body: bytes) -> None:
        path = unquote(urlsplit(self.path).path).removeprefix("/api/v1/").lstrip("/")
        status = next((status for part, status in self.hub.faults.items() if part in path), None)
        if status is not None:
            self._send({"Code": status, "Message": "fault", "Success": False}, status)
        elif self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self._send({"Code": 401, "Message": "no token", "Success": False}, 401)
        elif path.startswith("blobs/"):
            self.hub.blobs[path.removeprefix("blobs/")] = body
            self._send({"Code": 200})
        elif path == "models" and self.command == "POST":
            self._create(json.loads(body))
        elif path.endswith("/info/lfs/objects/batch"):
            self._batch(json.loads(body)["objects"])
        elif "/commit/" in path:
            name = path.removeprefix("repos/models/").partition("/commit/")[0]
            self._commit(self.hub.repositories[name], json.loads(body))
        else:
            self._read(path.removeprefix("models/"))

    def _create(self, asked: dict[str, Any]) -> None:
        name = f"{asked['Path']}/{asked['Name']}"
        if name in self.hub.repositories:
            self._send({"Code": 10020101, "Message": "already exists", "Success": False}, 400)
            return
        self.hub.repositories[name] = Kept(visibility=asked["Visibility"])
        self._send({"Code": 200, "Data": {"Name": asked["Name"], "Path": asked["Path"]}})

    def _batch(self, objects: list[dict[str, Any]]) -> None:
        answer = [
            {"oid": one["oid"], "actions": {"upload": {"href": f"{self.hub.url}/blobs/{one['oid']}"}}}
            for one in objects if one["oid"] not in self.hub.blobs
        ]  # fmt: skip
        self._send({"Code": 200, "Data": {"objects": answer}})

    def _commit(self, kept: Kept, asked: dict[str, Any]) -> None:
        kept.commits.append(asked["commit_message"])
        for one in asked["actions"]:
            if one["action"] == "delete":
                kept.files.pop(one["path"], None)
                continue
            normal = one["type"] == "normal"
            content = base64.b64decode(one["content"]) if normal else self.hub.blobs[one["sha256"]]
            kept.files[one["path"]] = content
            kept.changed[one["path"]] = len(kept.commits)
        self._send({"Code": 200, "Success": True, "Data": {"oid": revision(len(kept.commits))}})

    def _read(self, path: str) -> None:
        name, _, rest = path.partition("/repo")
        kept = self.hub.repositories.get(name)
        if kept is None:
            self._send({"Code": 10010205001, "Message": "not found", "Success": False}, 404)
        elif rest == "/files":
            files = [
                {"Path": name, "Type": "blob", "Size": len(content), "Sha256": hashlib.sha256(content).hexdigest(),
                 "Revision": revision(kept.changed.get(name, 0)), "CommittedDate": kept.changed.get(name, 0)}
                for name, content in kept.files.items()
            ]  # fmt: skip
            self._send({"Code": 200, "Success": True, "Data": {"Files": files}})
        else:
            self._send({"Code": 200, "Success": True, "Data": {"License": "Apache-2.0", "Visibility": kept.visibility}})

    def _send(self, answer: object, status: int = 200) -> None:
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
