"""What goes into a build: its arguments and its weights. No engine."""

import re

import pytest

from image.build.build import BuildConfig, _arguments, default_base_image, prepare_model
from image.core.errors import ConfigError
from image.core.lock import Lock, LockedFile
from image.core.project import ROOT, find_lock

SEVEN_B = "qwen2.5-7b-instruct"


def test_the_base_image_is_pinned_by_digest_and_has_torchs_cuda_major() -> None:
    found = re.fullmatch(r"nvidia/cuda:(\d+)\.[\d.]+-base-\S+@sha256:[0-9a-f]{64}", default_base_image())
    assert found is not None
    assert f"nvidia-cudnn-cu{found[1]}" in (ROOT / "requirements/torch-cuda.txt").read_text()


def test_a_commit_moves_no_time_in_the_image() -> None:
    lock = find_lock(SEVEN_B)
    arguments = _arguments(BuildConfig(model=SEVEN_B), lock)
    assert arguments["SOURCE_DATE_EPOCH"] == "1726704000"
    assert arguments["CREATED"] == "2024-09-19T00:00:00Z"
    assert arguments["MODEL_REVISION"] == "a09a35458c702b33eeacc393d103063234e8bc28"
    assert arguments["MODEL_BYTES"] == str(lock.total_bytes)
    assert arguments["BASE_DIGEST"].startswith("sha256:")


def test_every_argument_is_one_of_the_dockerfile() -> None:
    known = set(re.findall(r"^ARG (\w+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE))
    assert set(_arguments(BuildConfig(model=SEVEN_B), find_lock(SEVEN_B))) <= known


def test_a_model_with_more_shards_than_the_dockerfile_has_lines_is_refused() -> None:
    shards = tuple(
        LockedFile(name=f"model-0000{n}-of-00009.safetensors", size_bytes=1, sha256="0" * 64) for n in range(9)
    )
    lock = Lock(
        name="big", folder="big", repository="", revision="", licence="", source_date_epoch=0, files=shards, sha256=""
    )
    with pytest.raises(ConfigError, match="has 9 shards, but the Dockerfile has COPY lines for 4"):
        prepare_model(lock, notify=lambda _: None, listener=lambda _: None)
