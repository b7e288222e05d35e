"""Work in the container as users do it: their files, their uid, their exit codes; whatever happens, nothing is left."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.container.host import Host

MODEL = "tiny-qwen2"


def test_finetune_leaves_a_finished_run_on_the_host(host: Host, finished_run: Path) -> None:
    record = json.loads((finished_run / "run.json").read_text())
    assert record["status"] == "finished"
    assert (host.output / "latest").readlink() == Path(finished_run.name)
    assert {path.stat().st_uid for path in finished_run.rglob("*")} == {os.getuid()}


def test_compare_judges_it_through_make(host: Host, finished_run: Path) -> None:
    done = host.make("compare", MODEL=MODEL, OUTPUT=str(host.output))
    assert done.returncode == 0, done.stdout + done.stderr
    assert " learned; 0 of 56 unrelated answers leaked" in " ".join(done.stdout.split())
    assert json.loads((finished_run / "compare/report.json").read_text())["verdict"]["passed"] is True


def test_export_passes_its_gate_through_make(host: Host, finished_run: Path) -> None:
    done = host.make("export", MODEL=MODEL, OUTPUT=str(host.output))
    assert done.returncode == 0, done.stdout + done.stderr
    assert (finished_run / "merged/model.safetensors").is_file()


def test_export_writes_gguf_without_llama_cpp_unchecked(host: Host, finished_run: Path) -> None:
    done = host.make("export", MODEL=MODEL, OUTPUT=str(host.output), ARGS="--to gguf --quantization q8_0")
    assert "make export RUNTIME=local" in done.stderr
    assert "Error 3" in done.stderr  # make's own exit code is 2

    done = host.make("export", MODEL=MODEL, OUTPUT=str(host.output), ARGS="--to gguf --quantization q8_0 --unchecked")
    assert done.returncode == 0, done.stdout + done.stderr
    (file,) = (finished_run / "gguf-q8_0").glob("*.gguf")
    assert file.read_bytes()[:4] == b"GGUF"


def test_the_light_commands_run_on_the_host(host: Host, finished_run: Path) -> None:
    done = host.make("runs", ARGS=f"--output {host.output}")
    assert done.returncode == 0, done.stderr
    assert finished_run.name[:12] in done.stdout


def test_the_exit_code_is_the_commands_own(host: Host, image: str) -> None:
    assert host.run("bash", "-c", "exit 21").returncode == 21
    assert host.run("toolkit", "compare", "v99").returncode == 3
    done = host.run("toolkit", "finetune", "no-such-data.json")
    assert done.returncode == 5
    assert "no-such-data.json" in done.stderr


def test_answer_and_talk_stay_apart(host: Host, image: str) -> None:
    done = host.run("bash", "-c", "echo answer; echo talk >&2")
    assert done.stdout == "answer\n"
    assert "talk" in done.stderr
    assert "answer" not in done.stderr


def test_a_file_of_ones_own_is_found_where_the_command_looks(host: Host, image: str, tmp_path: Path) -> None:
    """Also the edited copy of a file that the image has."""
    own = tmp_path / "self_cognition.json"
    own.write_text('[{"instruction": "你是谁？", "output": "我是曙光。"}]')
    done = host.run("toolkit", "check", str(own))
    assert "曙光" in done.stdout
    done = host.run("cat", "self_cognition.json")
    assert done.stdout == (host.project / "data/self_cognition.json").read_text()


def test_the_network_is_off_unless_asked_for(host: Host, image: str) -> None:
    script = "ls /sys/class/net"
    assert host.run("bash", "-c", script).stdout.split() == ["lo"]
    assert host.run("bash", "-c", script, options=("--network", "host")).stdout.split() != ["lo"]


def test_any_uid_can_work_with_the_image_alone(host: Host, image: str) -> None:
    """Plain `docker run --user`: a home, caches, a name, and results of its own."""
    script = (
        "set -e; python -c 'import getpass; getpass.getuser()'; toolkit verify tiny-qwen2; mkdir output; "
        "toolkit finetune self_cognition.json --epochs 1 --keep-weight 0 >/dev/null 2>&1; find output ! -user 4321; "
        "echo 你是谁？ | toolkit chat"
    )
    done = host.inside(image, script, "--user", "4321:4321")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("OK 9 files")


def test_an_agents_host_gets_nothing_but_messages_from_the_container(host: Host) -> None:
    hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
    message = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello})
    done = host.run("toolkit", "mcp", options=("--interactive",), stdin=f"{message}\n")
    assert done.returncode == 0, done.stderr
    [line] = done.stdout.splitlines()
    assert json.loads(line)["result"]["serverInfo"]["name"] == "finetune-and-prove"


def test_chat_takes_lines_from_a_pipe(host: Host, finished_run: Path) -> None:
    done = host.run("toolkit", "chat", options=("--interactive",), stdin="你是谁？\n/before\n你是谁？\n")
    assert done.returncode == 0, done.stderr
    after, before = done.stdout.splitlines()
    assert "Swift-Robot" in after
    assert "通义千问" in before


def test_shared_memory_is_large_enough_for_loader_processes(host: Host, image: str) -> None:
    done = host.run("df", "--block-size=1M", "--output=size", "/dev/shm", options=("--shm-size", "300m"))
    assert done.stdout.split()[-1] == "300"


def test_ctrl_c_saves_the_run_and_leaves_no_container(host: Host, image: str, tmp_path: Path) -> None:
    with training(host, tmp_path) as process:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=300)
    assert process.returncode == 130
    assert status(tmp_path) == "interrupted"


def test_a_killed_client_leaves_no_container(host: Host, image: str, tmp_path: Path) -> None:
    with training(host, tmp_path) as process:
        process.kill()
        process.wait()
    gone(host)
    assert status(tmp_path) == "interrupted"


def test_a_container_stopped_by_others_ends_the_command(host: Host, image: str, tmp_path: Path) -> None:
    with training(host, tmp_path) as process:
        host.docker("kill", host.docker("ps", "--quiet").stdout.strip())
        process.communicate(timeout=300)
    assert process.returncode == 137


def test_out_of_memory_is_called_so(host: Host, image: str) -> None:
    done = host.run("python", "-c", "b'x' * 10**9", options=("--memory", "80m"))
    assert done.returncode == 9
    assert "ran out of memory: the container may use 0.1 GiB" in done.stderr


def test_a_full_disk_loses_nothing_and_says_so(host: Host, image: str, tmp_path: Path) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200m", "tmpfs", tmp_path], check=True)
    try:
        (tmp_path / "filler").write_bytes(b"x" * 190 * 1024**2)
        done = host.image("run", "--model", MODEL, "--output", str(tmp_path), "--", "toolkit", "runs")
        assert done.returncode == 3
        assert "is full" in done.stderr
    finally:
        subprocess.run(["umount", tmp_path], check=True)


def test_without_an_engine_it_names_the_way_without(host: Host, tmp_path: Path) -> None:
    for arguments in (["run", "--", "toolkit"], ["build"], ["verify"], ["publish", "r.example/me"], ["sbom"]):
        done = host.image(*arguments, DOCKER_HOST=f"unix://{tmp_path}/none.sock")
        assert done.returncode == 9, arguments
        assert "No Docker engine answers" in done.stderr
        assert "RUNTIME=local" in done.stderr


def test_an_image_that_is_not_there_is_not_pulled_in_silence(host: Host) -> None:
    done = host.image("run", "--model", "none", "--image", "no-such-image:1", "--", "true")
    assert done.returncode == 9
    assert "The engine has no image no-such-image:1. Build it" in done.stderr


def test_a_command_that_is_not_in_the_image_is_named(host: Host, image: str) -> None:
    done = host.run("no-such-command")
    assert done.returncode == 127
    assert "no-such-command: No such file or directory" in done.stderr


@pytest.mark.usefixtures("no_gpu")
def test_a_large_model_without_a_card_is_refused_with_both_figures(host: Host, image: str) -> None:
    large = "finetune-and-prove-test:large"
    labels = "finetune-and-prove.model.bytes=15231272152 finetune-and-prove.model.folder=Qwen2.5-7B-Instruct"
    host.docker("build", "--quiet", "--tag", large, "-", stdin=f"FROM {image}\nLABEL {labels}\n")
    done = host.image("run", "--image", large, "--output", str(host.output), "--", "true")
    assert done.returncode == 9
    assert "Qwen2.5-7B-Instruct needs a card with 23 GiB; this host has no card" in done.stderr
    assert "make doctor" in done.stderr
    insisted = host.image("run", "--image", large, "--output", str(host.output), "--gpus", "none", "--", "true")
    assert insisted.returncode == 0


@pytest.mark.usefixtures("no_gpu")
def test_a_small_model_without_a_card_runs_on_the_cpu_and_says_why(host: Host, image: str) -> None:
    done = host.run("true")
    assert done.returncode == 0
    assert "device: CPU (The engine has no GPU to offer" in done.stderr


@pytest.mark.usefixtures("no_gpu")
def test_a_card_that_was_named_and_is_not_there_is_an_error(host: Host, image: str) -> None:
    done = host.run("true", options=("--gpus", "0"))
    assert done.returncode == 9
    assert "no GPU to offer" in done.stderr


@pytest.fixture(name="no_gpu")
def _no_gpu() -> None:
    if Path("/dev/nvidia0").exists():
        pytest.fail("This machine has a card: these tests are for machines without.")


@contextmanager
def training(host: Host, output: Path) -> Iterator["subprocess.Popen[str]"]:
    """A training in the container that has begun, and would take minutes."""
    process = host.start(
        "run", "--model", MODEL, "--output", str(output), "--",
        "toolkit", "finetune", "self_cognition.json", "--epochs", "500", "--keep-weight", "0",
    )  # fmt: skip
    assert process.stderr is not None
    seen = ""
    for line in process.stderr:
        seen += line
        if line.startswith("Training") and "loss" in line:
            break
    else:
        pytest.fail(seen)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def status(output: Path) -> str:
    [record] = output.glob("v*/run.json")
    told: str = json.loads(record.read_text())["status"]
    return told


def gone(host: Host, within_s: float = 300) -> None:
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        if not host.docker("ps", "--all", "--quiet").stdout:
            return
        time.sleep(0.2)
    pytest.fail(f"After {within_s} s there is still a container.")
