"""A built image as an engine shows it: its labels and some of its files. No engine is asked."""

import io
import json
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from image.build.packages import RELEASE, STATUS
from image.build.sbom import PATH as BILL
from image.core.errors import EngineError
from image.engine import ImageInfo

LABELS = {
    "org.opencontainers.image.created": "2024-09-19T00:00:00Z",
    "org.opencontainers.image.source": "https://example.org/me/finetune-and-prove",
    "org.opencontainers.image.revision": "a" * 40,
    "org.opencontainers.image.version": "1.0",
    "org.opencontainers.image.base.name": "nvidia/cuda:13",
    "org.opencontainers.image.base.digest": "sha256:" + "b" * 64,
    "finetune-and-prove.model.name": "qwen2.5-7b-instruct",
    "finetune-and-prove.model.repository": "Qwen/Qwen2.5-7B-Instruct",
    "finetune-and-prove.model.revision": "c" * 40,
    "finetune-and-prove.model.lock-sha256": "d" * 64,
}
GCC = "Package: gcc\nStatus: install ok installed\nArchitecture: amd64\nVersion: 4:12.2.0-3\n"
GONE = "Package: vim\nStatus: deinstall ok config-files\nArchitecture: amd64\nVersion: 9\n"
LIBC = "Package: libc6\nStatus: install ok installed\nArchitecture: amd64\nVersion: 2.36-9\nDescription: C\n more\n"
PIP = {"name": "pip", "version": "23.2", "type": "library"}


@dataclass
class BuiltImage:
    """The engine, and its one image."""

    digest: str = "sha256:" + "1" * 64
    labels: dict[str, str] = field(default_factory=lambda: dict(LABELS))
    files: dict[str, str] = field(
        default_factory=lambda: {
            BILL: json.dumps({"bomFormat": "CycloneDX", "components": [PIP]}),
            STATUS: f"{LIBC}\n{GONE}\n{GCC}",
            RELEASE: 'NAME="Debian"\nID=debian\nVERSION_ID="12"\n',
        }
    )

    def find_image(self, reference: str) -> ImageInfo:
        return ImageInfo(reference=reference, image_id=self.digest, labels=self.labels, repo_digests=())

    @contextmanager
    def archive(self, reference: str, path: str) -> Iterator[Iterator[bytes]]:
        if path not in self.files:
            raise EngineError(f"{reference} has no {path}.")
        stream, content = io.BytesIO(), self.files[path].encode()
        with tarfile.open(fileobj=stream, mode="w") as archive:
            member = tarfile.TarInfo(path.rpartition("/")[2])
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        yield iter([stream.getvalue()])
