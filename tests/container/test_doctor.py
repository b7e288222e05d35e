"""The doctor on this very host: the engine is real, and so is what is missing."""

from pathlib import Path

import pytest

from tests.container.host import Host


def test_a_host_that_has_what_the_embedded_model_needs_is_well(host: Host) -> None:
    done = host.image("doctor", "--model", "tiny-qwen2", "--output", str(host.output))
    assert done.returncode == 0, done.stdout
    assert "ok    engine: " in done.stdout
    assert "ok    buildx: " in done.stdout
    assert "ok    image store: containerd" in done.stdout


def test_a_missing_card_is_bad_for_a_large_model_and_the_remedy_is_told(host: Host) -> None:
    if Path("/dev/nvidia0").exists():
        pytest.fail("This machine has a card: this test is for machines without.")
    done = host.make("doctor", ARGS=f"--output {host.output}")
    assert done.returncode != 0
    assert "BAD   card: none" in done.stdout
    assert "The model needs one with 23 GiB." in done.stdout
    assert "Install NVIDIA's driver" in done.stdout


def test_an_engine_that_is_down_is_the_first_finding(host: Host) -> None:
    done = host.image("doctor", "--model", "tiny-qwen2", DOCKER_HOST="unix:///nowhere/docker.sock")
    assert done.returncode == 1
    assert done.stdout.startswith("BAD   No Docker engine answers at unix:///nowhere/docker.sock")
