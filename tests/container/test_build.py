"""What a build makes: the same bytes twice, weights in layers of their own, nothing that does not belong there."""

import hashlib
import json
import re
import shutil
from pathlib import Path

from tests.container.host import Host

TINY = Path("data/tiny-qwen2")


def test_two_builds_from_nothing_have_the_same_digest(host: Host, image: str, build_options: list[str]) -> None:
    first = host.docker("image", "inspect", "--format", "{{.Id}}", image).stdout.strip()
    again = host.image("build", "--model", "tiny-qwen2", "--no-cache", *build_options)
    assert again.returncode == 0, again.stderr[-3000:]
    assert again.stdout.splitlines()[-1] == first
    assert host.docker("image", "inspect", "--format", "{{.Id}}", image).stdout.strip() == first


def test_verify_finds_everything_in_order(host: Host, image: str) -> None:
    done = host.image("verify", image)
    assert done.returncode == 0, done.stdout
    assert "BAD" not in done.stdout
    assert "layers: 1 of 1 shards have their own" in done.stdout
    assert "inside: toolkit verify says OK" in done.stdout


def test_verify_names_the_file_whose_bytes_are_others(host: Host, image: str) -> None:
    tampered = "finetune-and-prove-test:tampered"
    built = host.docker(
        "build", "--quiet", "--tag", tampered, "-",
        stdin=f"FROM {image}\nUSER root\nRUN printf x >> /root/tiny-qwen2/model.safetensors\n",
    )  # fmt: skip
    assert built.returncode == 0, built.stderr
    done = host.image("verify", tampered)
    assert done.returncode == 4
    assert "BAD  files: model.safetensors: differs" in done.stdout
    assert "BAD  inside: toolkit verify says model.safetensors: 6567633 bytes" in done.stdout


def test_a_wrong_shard_ends_the_build_with_its_name(
    host: Host, image: str, build_options: list[str], tmp_path: Path
) -> None:
    """The host's own check is stepped around: this is the one inside the build."""
    model = tmp_path / "model"
    shutil.copytree(host.project / TINY, model, ignore=shutil.ignore_patterns("__pycache__"))
    with (model / "model.safetensors").open("r+b") as stream:
        stream.seek(5000)
        stream.write(b"\0\0\0\0")
    base = build_options[build_options.index("--base-image") + 1]
    done = host.docker(
        "buildx", "build", "--progress=plain", "--target=checked", "--network=host", f"--build-context=model={model}",
        f"--build-arg=BASE_IMAGE={base}", "--build-arg=MODEL=tiny-qwen2",
        "--build-arg=SOURCE_DATE_EPOCH=1726704000", ".",
    )  # fmt: skip
    assert done.returncode != 0
    assert "model.safetensors: sha256" in done.stderr


def test_the_host_refuses_a_model_that_is_not_as_locked(host: Host, tmp_path: Path) -> None:
    project = tmp_path / "project"
    shutil.copytree(host.project, project, ignore=shutil.ignore_patterns(".*", "output", "models", "__pycache__"))
    (project / TINY / "config.json").write_text("{}")
    elsewhere = Host(environment=host.environment, folder=tmp_path, project=project)
    done = elsewhere.image("build", "--model", "tiny-qwen2")
    assert done.returncode == 4
    assert "config.json: 2 bytes, the lock says 825" in done.stderr
    assert "make download MODEL=tiny-qwen2" in done.stderr


def test_labels_say_what_is_inside(host: Host, image: str) -> None:
    labels = json.loads(host.docker("image", "inspect", "--format", "{{json .Config.Labels}}", image).stdout)
    lock = host.project / "data/locks/tiny-qwen2.json"
    assert labels["finetune-and-prove.model.lock-sha256"] == hashlib.sha256(lock.read_bytes()).hexdigest()
    assert labels["finetune-and-prove.model.folder"] == "tiny-qwen2"
    assert labels["org.opencontainers.image.created"] == "2024-09-19T00:00:00Z"
    assert re.fullmatch(r"[0-9a-f]{40}(-dirty)?|unknown", labels["org.opencontainers.image.revision"])
    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"


def test_nothing_is_in_the_image_that_does_not_belong_there(host: Host, image: str) -> None:
    found = host.inside(
        image,
        "find / -xdev \\( -name .git -o -path '*/.cache/*' -o -name pip.conf -o -name ca_bundle "
        "-o -name direct_url.json -o -path '*/tests/container/*' -o -path '/var/lib/apt/lists/*' "
        "-o -path '/run/secrets/*' \\) -print",
    )
    assert found.returncode == 0
    assert found.stdout == ""


def test_the_bill_of_materials_names_what_is_installed(host: Host, image: str) -> None:
    """As pip sees it inside, and as the locks say it."""
    told = json.loads(host.image("sbom", "--image", image).stdout)
    assert told["bomFormat"] == "CycloneDX"
    of_the_base = [each["purl"] for each in told["components"] if each.get("purl", "").startswith("pkg:deb/")]
    assert len([purl for purl in of_the_base if purl.startswith("pkg:deb/debian/gcc@")]) == 1
    python = [each for each in told["components"] if each.get("purl") not in of_the_base]
    listed = {_normal(each["name"]): each["version"] for each in python}
    inside = json.loads(host.inside(image, "pip list --format json --disable-pip-version-check").stdout)
    assert listed == {_normal(each["name"]): each["version"] for each in inside}
    locked = _locked(host, "runtime") | _locked(host, "torch-cpu")
    of_the_environment = {"pip", "setuptools"}
    strangers = {name for name, version in listed.items() if version not in locked.get(name, set())}
    assert strangers <= of_the_environment
    assert told["metadata"]["timestamp"] == "2024-09-19T00:00:00+00:00"
    assert "serialNumber" not in told


def _locked(host: Host, name: str) -> dict[str, set[str]]:
    locked: dict[str, set[str]] = {}
    for line in (host.project / f"requirements/{name}.txt").read_text().splitlines():
        if found := re.match(r"([\w.\-]+)==([\w.+]+)", line):
            locked.setdefault(_normal(found[1]), set()).add(found[2])
    return locked


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_a_build_that_fails_says_at_which_step(host: Host, build_options: list[str]) -> None:
    nothing = ["no-such-base:none" if "base" in option and ":" in option else option for option in build_options]
    done = host.image("build", "--model", "tiny-qwen2", *nothing)
    assert done.returncode == 9
    assert done.stderr.splitlines()[-1].startswith("Error: The build failed")
    assert "no-such-base" in done.stderr.splitlines()[-1]
