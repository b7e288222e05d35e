"""A hub on loopback that takes pushes, with the shapes of huggingface.co: repositories, LFS, commits, downloads."""

import base64
import hashlib
import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote, urlsplit

import yaml

TOKEN, READ_ONLY = "hf_a-token-that-writes", "hf_a-token-that-reads"
OWNER = "me"
LICENCES = {"apache-2.0", "mit", "other"}  # some of the hub's


@dataclass
class Stored:
    private: bool
    files: dict[str, bytes] = field(default_factory=dict)
    commits: list[tuple[str, str]] = field(default_factory=list)  # id, message

    @property
    def head(self) -> str:
        return self.commits[-1][0]


class LocalServer:
    """Serves on loopback with the class that `_handler` names, whose `hub` is this."""

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        raise NotImplementedError

    def __enter__(self) -> Self:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (self._handler(),), {"hub": self}))
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"


@dataclass(kw_only=True)
class WritableHub(LocalServer):
    repositories: dict[str, Stored] = field(default_factory=dict)
    objects: dict[str, bytes] = field(default_factory=dict)
    faults: dict[str, int] = field(default_factory=dict)  # part of a path → status
    asked: list[str] = field(default_factory=list)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        return _Handler

    def holds(self, name: str, files: dict[str, bytes], *, private: bool = True) -> None:
        """What somebody put there before."""
        self.repositories[name] = Stored(private=private, files=dict(files), commits=[("0" * 40, "first")])


class _Handler(BaseHTTPRequestHandler):
    hub: WritableHub
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm, wbufsize = True, -1

    def log_message(self, *_: object) -> None: ...

    def do_HEAD(self) -> None:
        self._answer()

    do_GET = do_POST = do_PUT = do_HEAD  # noqa: N815  # http.server's names

    def _answer(self) -> None:
        body = self._body()
        path = unquote(urlsplit(self.path).path)
        self.hub.asked.append(f"{self.command} {path}")
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if (status := next((s for part, s in self.hub.faults.items() if part in path), None)) is not None:
            self._refuse(status, "Fault")
        elif token not in {"", TOKEN, READ_ONLY}:
            self._refuse(401, "", message="Invalid credentials in Authorization header")
        elif path.startswith("/objects/"):
            self._object(path.removeprefix("/objects/"), body)
        elif path == "/api/validate-yaml":
            self._validate(json.loads(body)["content"])
        elif self.command == "POST" and token != TOKEN:
            self._refuse(403, "", message="You don't have the rights required to do this")
        elif path == "/api/repos/create":
            self._create(json.loads(body))
        elif path.endswith("/info/lfs/objects/batch"):
            self._batch(json.loads(body))
        elif path.startswith("/api/models/"):
            self._model(path.removeprefix("/api/models/").split("/"), body, token)
        elif "/resolve/" in path:
            self._resolve(path)
        else:
            self._refuse(404, "")

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        pieces = []
        while length := int(self.rfile.readline(), 16):
            pieces.append(self.rfile.read(length))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(pieces)

    def _create(self, wanted: dict[str, Any]) -> None:
        owner = wanted["organization"] or OWNER
        name = f"{owner}/{wanted['name']}"
        if owner != OWNER:
            self._refuse(403, "", message=f"You don't have the right to create a repository under {owner}")
        elif name in self.hub.repositories:
            self._refuse(409, "")
        else:
            self.hub.holds(
                name, {".gitattributes": b"*.safetensors filter=lfs\n"}, private=wanted.get("visibility") == "private"
            )
            self._say({"url": f"{self.hub.url}/{name}", "name": name})

    def _validate(self, card: str) -> None:
        """The hub's own checks of a card's front matter, as far as ours could fail them."""
        try:
            _, front, _ = card.split("---\n", 2)
            values = yaml.safe_load(front)
            wrong = [] if values.get("license", "other") in LICENCES else ['"license" must be one of the known ones']
            wrong += [
                f'"{key}" must be a list' for key in ("language", "tags") if not isinstance(values.get(key, []), list)
            ]
        except (ValueError, yaml.YAMLError) as error:
            wrong = [f"the front matter is no YAML: {error}"]
        self._say({"errors": [{"message": one} for one in wrong], "warnings": []}, 400 if wrong else 200)

    def _model(self, parts: list[str], body: bytes, token: str) -> None:
        name, doing = "/".join(parts[:2]), parts[2] if len(parts) > 2 else ""
        stored = self.hub.repositories.get(name)
        if stored is None or (stored.private and not token):
            self._refuse(404, "RepoNotFound")
        elif doing == "preupload":
            self._say({"files": [self._mode(stored, one["path"]) for one in json.loads(body)["files"]]})
        elif doing == "commit":
            self._commit(name, stored, [json.loads(line) for line in body.splitlines() if line])
        elif doing == "tree":
            self._say([self._entry(path, content) for path, content in stored.files.items()])
        else:
            siblings = [{"rfilename": path} for path in stored.files]
            self._say(
                {
                    "_id": "1",
                    "id": name,
                    "modelId": name,
                    "sha": stored.head,
                    "private": stored.private,
                    "siblings": siblings,
                }
            )

    @staticmethod
    def _entry(path: str, content: bytes) -> dict[str, Any]:
        return {"type": "file", "path": path, "size": len(content), "oid": _git_oid(content)}

    @staticmethod
    def _mode(stored: Stored, path: str) -> dict[str, Any]:
        large, content = path.endswith(".safetensors"), stored.files.get(path)
        found = {"path": path, "uploadMode": "lfs" if large else "regular", "shouldIgnore": False}
        if content is None:
            return found
        return found | {"oid": hashlib.sha256(content).hexdigest() if large else _git_oid(content)}

    def _batch(self, wanted: dict[str, Any]) -> None:
        objects = []
        for one in wanted["objects"]:
            upload = {"upload": {"href": f"{self.hub.url}/objects/{one['oid']}"}}
            objects.append(one | ({} if one["oid"] in self.hub.objects else {"actions": upload}))
        self._say({"transfer": "basic", "objects": objects})

    def _object(self, oid: str, body: bytes) -> None:
        right = hashlib.sha256(body).hexdigest() == oid
        if right:
            self.hub.objects[oid] = body
        self._say({}, 200 if right else 400)

    def _commit(self, name: str, stored: Stored, lines: list[dict[str, Any]]) -> None:
        header = lines[0]["value"]
        if header.get("parentCommit", stored.head) != stored.head:
            self._refuse(412, "")
            return
        for line in lines[1:]:
            key, value = line["key"], line["value"]
            if key == "file":
                stored.files[value["path"]] = base64.b64decode(value["content"])
            elif key == "lfsFile":
                stored.files[value["path"]] = self.hub.objects[value["oid"]]
            else:
                del stored.files[value["path"]]
        oid = hashlib.sha1(repr((stored.head, sorted(stored.files.items()))).encode()).hexdigest()
        stored.commits.append((oid, header["summary"]))
        self._say({"commitUrl": f"{self.hub.url}/{name}/commit/{oid}", "commitOid": oid, "success": True})

    def _resolve(self, path: str) -> None:
        name, _, rest = path.lstrip("/").partition("/resolve/")
        stored = self.hub.repositories.get(name)
        content = None if stored is None else stored.files.get(rest.partition("/")[2])
        if stored is None or content is None:
            self._refuse(404, "EntryNotFound")
            return
        self._send(200, content, {"X-Repo-Commit": stored.head, "ETag": f'"{_git_oid(content)}"'})

    def _say(self, value: Any, status: int = 200) -> None:
        self._send(status, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _refuse(self, status: int, code: str, message: str = "") -> None:
        headers = {"X-Error-Code": code, "X-Error-Message": message}
        self._send(status, b"{}", {name: value for name, value in headers.items() if value})

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _git_oid(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
