"""What an image is made of and how long that took, and whether all of it works without an NVIDIA driver.

    python bench/cuda_image.py OUT.json finetune-and-prove:none --log BUILD.log

`layers`: each with its size unpacked and as a registry has it. `save`: `docker save` to nowhere, as it would go to a
stick. `steps`: seconds of each step in BuildKit's plain log (`make build … 2> BUILD.log`), where they were not cached.
`missing`: shared libraries that `ldd` does not find, for every shared library of the environment. `loads`: how many of
torch's and NVIDIA's libraries load with everything else that torch has loaded, and what the others lack. `imports`:
seconds to import all that a training needs, with the network and every card off.
"""

import json
import os
import re
import subprocess
import tarfile
import time
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

# Everything that is a shared library, once; lines of what ldd does not find.
LDD = """
find /opt/venv -xdev -type f \\( -name '*.so' -o -name '*.so.*' \\) | sort > /tmp/all
while read -r file; do
    ldd "$file" 2>&1 | awk -v file="${file#/opt/venv/lib/python3*/site-packages/}" '/not found/ { print file, $1 }'
done < /tmp/all
echo "all $(wc -l < /tmp/all)"
"""
LOAD = """
import ctypes, json, sysconfig
from pathlib import Path
import torch
found = {"torch": torch.__version__, "cuda": torch.version.cuda, "available": torch.cuda.is_available()}
places = Path(sysconfig.get_path("purelib"))
lacking = {}
files = [path for folder in ("nvidia", "torch/lib") for path in sorted((places / folder).rglob("*.so*"))]
for path in files:
    try:
        ctypes.CDLL(str(path))
    except OSError as error:
        lacking[str(path.relative_to(places))] = str(error).partition(":")[0]
print(json.dumps(found | {"files": len(files), "lacking": lacking}))
"""
IMPORTS = """
import time
began = time.perf_counter()
from toolkit.train.ms_swift import import_all
import_all()
print(time.perf_counter() - began)
"""
STEP = re.compile(r"#(\d+) \[([\w-]+) \d+/\d+\] (.+)")


def inside(image: str, *command: str, script: str) -> str:
    run = ["docker", "run", "--rm", "--interactive", "--network=none", image, *command]
    return subprocess.run(run, input=script, capture_output=True, text=True, check=True).stdout


def saved(image: str) -> tuple[list[int], dict[str, float]]:
    """The layers' sizes as they are stored, and what a copy takes."""
    began, small, total = time.perf_counter(), dict[str, bytes](), 0
    with (
        subprocess.Popen(["docker", "save", image], stdout=subprocess.PIPE) as process,
        tarfile.open(fileobj=process.stdout, mode="r|") as archive,
    ):
        for entry in archive:
            total += entry.size
            content = archive.extractfile(entry) if entry.isfile() and entry.size < 1_000_000 else None
            if content is not None:
                small[Path(entry.name).name] = content.read()
    [index] = json.loads(small["index.json"])["manifests"]
    manifest = json.loads(small[index["digest"].partition(":")[2]])
    told = {"bytes": total, "seconds": round(time.perf_counter() - began, 1)}
    return [layer["size"] for layer in manifest["layers"]], told


def layers(image: str, stored: Sequence[int]) -> list[dict[str, Any]]:
    """In the order of the Dockerfile. The history has an entry for each, and for settings, which make none."""
    listed = ["docker", "history", "--no-trunc", "--human=false", "--format", "{{.Size}}\t{{.CreatedBy}}", image]
    lines = subprocess.run(listed, capture_output=True, text=True, check=True).stdout.splitlines()
    steps = [line.split("\t", 1) for line in reversed(lines)]
    made = [(int(size), by) for size, by in steps if not re.match(r"(ARG|ENV|LABEL|CMD|SHELL)\b", by)]
    return [
        {"step": " ".join(by.split())[:160], "bytes": size, "stored_bytes": there}
        for (size, by), there in zip(made, stored, strict=True)
    ]


def steps(log: Path) -> list[dict[str, Any]]:
    names, seconds = dict[str, str](), list[dict[str, Any]]()
    for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
        if found := STEP.match(line):
            names[found[1]] = f"{found[2]}: {' '.join(found[3].split())[:100]}"
        elif found := re.match(r"#(\d+) (exporting to .+)", line):
            names[found[1]] = found[2]
        elif (found := re.match(r"#(\d+) DONE ([\d.]+)s", line)) and found[1] in names:
            seconds.append({"step": names[found[1]], "seconds": float(found[2])})
    return seconds


def main() -> None:
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("image")
    parser.add_argument("--log", type=Path)
    given = parser.parse_args()
    stored, save = saved(given.image)
    *missing, count = inside(given.image, "bash", script=LDD).splitlines()
    told = {
        "image": given.image, "cores": os.cpu_count(), "load_before": round(os.getloadavg()[0], 2),
        "layers": layers(given.image, stored), "save": save,
        "steps": [] if given.log is None else steps(given.log),
        "libraries": int(count.removeprefix("all ")),
        "missing": sorted(missing),
        "loads": json.loads(inside(given.image, "python", "-", script=LOAD).splitlines()[-1]),
        "imports_s": round(float(inside(given.image, "python", "-", script=IMPORTS).splitlines()[-1]), 2),
    }  # fmt: skip
    given.out.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    print(f"{sum(stored) / 1e9:.2f} GB stored, {sum(one['bytes'] for one in told['layers']) / 1e9:.2f} GB unpacked")


if __name__ == "__main__":
    main()
