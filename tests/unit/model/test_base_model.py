"""Base models: found by folder or by name, and refused where they could not be trained on."""

import json
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fakes.model_folder import CONFIG, make_model_folder, write_shard
from toolkit.core.errors import ConfigError, ModelError
from toolkit.core.files import file_sha256
from toolkit.model import verify
from toolkit.model.base_model import find_base_model, find_recorded_base, require_sizes
from toolkit.model.lock import find_lock


@pytest.fixture(name="data")
def _data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder with a lock of the model in data/small, and an empty current folder."""
    small = make_model_folder(tmp_path / "data" / "small")
    files = {path.name: {"bytes": path.stat().st_size, "sha256": file_sha256(path)} for path in sorted(small.iterdir())}
    lock = {
        "schema_version": 1, "name": "small", "folder": "Small-Model", "repository": "Someone/Small-Model",
        "revision": "0123456789abcdef0123456789abcdef01234567", "licence": "CC0-1.0", "files": files,
    }  # fmt: skip
    (tmp_path / "data" / "locks").mkdir()
    (tmp_path / "data" / "locks" / "small.json").write_text(json.dumps(lock))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("TOOLKIT_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture(name="folder")
def _folder(data: Path, tmp_path: Path) -> Path:
    return make_model_folder(tmp_path / "mine")


def refused(folder: Path) -> str:
    with pytest.raises(ModelError) as caught:
        find_base_model(str(folder))
    return str(caught.value)


def test_a_folder_of_ones_own_goes_by_its_name_and_has_no_lock(folder: Path):
    base = find_base_model(str(folder))

    assert (base.name, base.path, base.revision, base.lock_sha256) == ("mine", folder, None, None)
    assert base.weight_bytes == (folder / "model.safetensors").stat().st_size
    assert dict(base.config) == CONFIG


def test_a_link_gives_the_folder_the_name_that_people_know(folder: Path, tmp_path: Path):
    (tmp_path / "Known-Model").symlink_to(folder)

    base = find_base_model(str(tmp_path / "Known-Model"))

    assert (base.name, base.path) == ("Known-Model", folder)


def test_a_name_is_looked_up_in_the_current_folder_then_in_models_then_in_the_data(data: Path, tmp_path: Path):
    work = tmp_path / "work"

    assert find_base_model("small").path == data / "small"
    nearer = make_model_folder(work / "models" / "Small-Model")
    assert find_base_model("small").path == nearer
    nearest = make_model_folder(work / "Small-Model")
    assert find_base_model("small").path == nearest


def test_the_environment_names_the_default(data: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TOOLKIT_MODEL", "small")

    assert find_base_model().name == "small"


def test_a_changed_weight_of_a_locked_model_is_refused_though_its_size_is_right(data: Path):
    path = data / "small" / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 0x20
    path.write_bytes(content)

    assert "model.safetensors is damaged" in refused(data / "small")


def test_a_large_model_has_its_lock_cited_only_after_its_bytes_were_compared(
    data: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(verify, "HASHED_AT_ONCE_BYTES", 0)
    monkeypatch.setattr(verify, "SMALL_FILE_BYTES", 0)
    unread = find_base_model(str(data / "small"))

    assert verify.check_folder(data / "small", find_lock("small")) == []
    compared = find_base_model(str(data / "small"))

    assert (unread.lock_sha256, unread.revision, unread.to_dict()["lock_checked"]) == (None, None, False)
    assert compared.lock_sha256 == file_sha256(data / "locks" / "small.json")
    assert "lock_checked" not in compared.to_dict()


def test_a_damaged_small_file_of_a_large_model_is_refused_though_the_large_ones_were_not_read(
    data: Path, monkeypatch: pytest.MonkeyPatch
):
    lock, path = data / "locks" / "small.json", data / "small" / "config.json"
    content = json.loads(lock.read_text())
    lock.write_text(json.dumps(content | {"files": dict(reversed(content["files"].items()))}))  # the weights first
    monkeypatch.setattr(verify, "HASHED_AT_ONCE_BYTES", 0)
    monkeypatch.setattr(verify, "SMALL_FILE_BYTES", path.stat().st_size)
    path.write_text(path.read_text().replace('"vocab_size": 300', '"vocab_size": 301'))

    assert "config.json is damaged" in refused(data / "small")


def test_a_lock_is_recognised_by_the_folders_name(data: Path, tmp_path: Path):
    base = find_base_model(str(make_model_folder(tmp_path / "elsewhere" / "Small-Model")))

    assert base.to_dict() == {
        "name": "small",
        "path": str(tmp_path / "elsewhere" / "Small-Model"),
        "repository": "Someone/Small-Model",
        "revision": "0123456789abcdef0123456789abcdef01234567",
        "lock_sha256": file_sha256(data / "locks" / "small.json"),
        "load_in_4bit": False,
        "family": "qwen2",
    }


def test_a_lock_whose_sizes_do_not_fit_is_not_claimed(data: Path, tmp_path: Path):
    folder = make_model_folder(tmp_path / "elsewhere" / "Small-Model", note="one byte more is another model")

    assert find_base_model(str(folder)).revision is None


def test_a_name_that_nobody_knows_is_a_matter_of_configuration(data: Path):
    with pytest.raises(ConfigError, match=r"No base model 'huge'.*Known: small"):
        find_base_model("huge")


def test_a_known_model_that_is_not_on_the_disk_is_a_matter_of_download(data: Path):
    (data / "small").rename(data / "gone")

    with pytest.raises(ModelError, match=r"small is not on this disk.*toolkit download small"):
        find_base_model("small")


def test_a_model_that_moved_is_found_by_the_name_in_its_record(data: Path):
    assert find_recorded_base("small", "/root/Small-Model").path == data / "small"


def test_a_folder_that_may_not_be_looked_into_is_passed_over(data: Path, monkeypatch: pytest.MonkeyPatch):
    is_dir = Path.is_dir

    def denied(path: Path) -> bool:
        if path.is_relative_to("/root"):
            raise PermissionError(13, "Permission denied")
        return is_dir(path)

    monkeypatch.setattr(Path, "is_dir", denied)

    assert find_base_model("small").path == data / "small"


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "tokenizer_config.json"])
def test_a_missing_file_is_named(folder: Path, name: str):
    (folder / name).unlink()

    assert f"{name} is missing. Download it again" in refused(folder)


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "tokenizer_config.json"])
@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[]"])
def test_a_broken_file_is_named(folder: Path, name: str, content: bytes):
    (folder / name).write_bytes(content)

    assert f"{folder / name} " in refused(folder)


@pytest.mark.parametrize("kind", ["llama", "gemma2", "phi3", "glm4"])
def test_every_family_of_the_table_is_found(folder: Path, kind: str):
    (folder / "config.json").write_text(json.dumps(CONFIG | {"model_type": kind}))

    assert find_base_model(str(folder)).config["model_type"] == kind


def test_a_mixture_of_experts_is_refused_by_name(folder: Path):
    (folder / "config.json").write_text(json.dumps(CONFIG | {"model_type": "qwen3_moe", "num_experts": 128}))

    assert "it is a mixture of experts" in refused(folder)


def test_how_many_experts_transformers_gives_an_architecture_by_itself_counts(folder: Path):
    (folder / "config.json").write_text(json.dumps(CONFIG | {"model_type": "gpt_oss"}))

    assert "it is a mixture of experts" in refused(folder)


def test_an_encoder_is_refused_unless_it_is_used_as_a_decoder(folder: Path):
    (folder / "config.json").write_text(json.dumps(CONFIG | {"model_type": "bert"}))
    assert "it is an encoder, and the toolkit trains decoders" in refused(folder)

    (folder / "config.json").write_text(json.dumps(CONFIG | {"model_type": "bert", "is_decoder": True}))
    assert find_base_model(str(folder)).config["model_type"] == "bert"


def test_an_architecture_that_transformers_lacks_is_refused(folder: Path):
    (folder / "config.json").write_text(json.dumps(CONFIG | {"model_type": "abacus"}))

    assert "is a abacus model (model_type in config.json), which transformers does not have" in refused(folder)


def test_the_sizes_of_an_architecture_that_the_table_lacks_are_those_that_transformers_reads(folder: Path):
    config = {"model_type": "gpt2", "n_embd": 64, "n_layer": 2, "n_head": 4, "vocab_size": 300, "n_positions": 128}
    (folder / "config.json").write_text(json.dumps(config))

    found = find_base_model(str(folder)).config

    assert (found["hidden_size"], found["num_hidden_layers"], found["intermediate_size"]) == (64, 2, 256)
    assert found["max_position_embeddings"] == 128


@pytest.mark.parametrize(
    ("template", "takes"),
    [
        ("{% for m in messages %}{{ m.role + m.content }}{% endfor %}", True),
        ("{% if messages[0].role == 'system' %}{{ raise_exception('no') }}{% endif %}{{ messages[0].content }}", False),
        ("{{ bos_token + messages[-1].content }}", False),
    ],
)
def test_whether_the_chat_template_takes_a_system_prompt_is_known(folder: Path, template: str, takes: bool):
    settings = {"chat_template": template, "bos_token": {"content": "<s>"}}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))

    assert find_base_model(str(folder)).takes_system == takes


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json"])
def test_code_of_the_models_own_is_refused(folder: Path, name: str):
    content = json.loads((folder / name).read_text())
    (folder / name).write_text(json.dumps(content | {"auto_map": {"AutoModel": "model.Model"}}))

    assert f"its own Python code ({name})" in refused(folder)


@pytest.mark.parametrize(
    "content", [{"a": [{"b": {"auto_map": {}}}]}, {"custom_generate": "mine"}, {"auto\u005fmap": {}}, [{"auto_map": 1}]]
)
def test_code_is_found_in_any_configuration_however_deep(folder: Path, content: object):
    (folder / "extra.json").write_text(json.dumps(content))

    assert "its own Python code (extra.json)" in refused(folder)


def test_a_folder_with_a_generate_function_of_its_own_is_refused(folder: Path):
    (folder / "custom_generate").mkdir()

    assert "its own Python code (custom_generate)" in refused(folder)


def test_a_configuration_nested_without_end_is_refused(folder: Path):
    (folder / "config.json").write_text('{"a":' * 100_000)

    assert f"{folder / 'config.json'} cannot be read" in refused(folder)


@pytest.mark.parametrize("name", ["../model.safetensors", "/etc/hostname", "sub/model.safetensors"])
def test_an_index_that_names_a_file_outside_the_folder_is_refused(folder: Path, name: str):
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": name}}))

    assert "names a file outside its folder" in refused(folder)


def test_no_weights_at_all(folder: Path):
    (folder / "model.safetensors").unlink()

    assert "has no safetensors weights" in refused(folder)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "consolidated.pth", "model.ckpt", "model.pkl"])
def test_only_pickled_weights_are_refused(folder: Path, name: str):
    (folder / "model.safetensors").rename(folder / name)

    message = refused(folder)
    assert f"only in pickles ({name}), which can run code" in message
    assert "safetensors version" in message


def test_a_truncated_shard_is_reported_by_its_length(folder: Path):
    shard = folder / "model.safetensors"
    shard.write_bytes(shard.read_bytes()[:-1])
    size = shard.stat().st_size

    assert f"is truncated: {size} of {size + 1} bytes" in refused(folder)


def test_a_shard_that_is_too_long_is_refused(folder: Path):
    shard = folder / "model.safetensors"
    shard.write_bytes(shard.read_bytes() + b"\0")

    assert "bytes. Download it again" in refused(folder)


def _header(value: object) -> bytes:
    text = json.dumps(value).encode()
    return struct.pack("<Q", len(text)) + text


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"short",
        b"<html>Not found</html>" * 10,
        struct.pack("<Q", 10) + b"{" * 10,
        struct.pack("<Q", 2**63) + b"{}",
        _header([]),
        _header({}),
        _header({"weight": 1}),
        _header({"weight": {"data_offsets": []}}),
        _header({"weight": {"data_offsets": ["0", "4"]}}),
        _header({"__metadata__": {"format": "pt"}}),
    ],
)
def test_a_corrupt_header_is_reported(folder: Path, content: bytes):
    (folder / "model.safetensors").write_bytes(content)

    assert "is corrupt: its header cannot be read" in refused(folder)


LAYERS = ["model.embed_tokens.weight", *(f"model.layers.{at}.{part}" for at in (0, 1) for part in ("a", "b"))]


def test_layers_that_have_all_their_tensors_are_whole(folder: Path):
    write_shard(folder / "model.safetensors", tensors=LAYERS)

    assert find_base_model(str(folder)).weight_bytes > 0


@pytest.mark.parametrize("gap", LAYERS)
def test_a_tensor_that_is_missing_is_named_since_random_numbers_would_take_its_place(folder: Path, gap: str):
    write_shard(folder / "model.safetensors", tensors=[name for name in LAYERS if name != gap])

    assert f"is incomplete: {gap} missing" in refused(folder)


def test_a_layer_that_is_missing_is_reported(folder: Path):
    write_shard(folder / "model.safetensors", tensors=LAYERS[:3])

    assert "model.layers.1.a and 1 more tensor missing" in refused(folder)


def _sharded(folder: Path, weight_map: object) -> None:
    (folder / "model.safetensors").unlink()
    for number in (1, 2):
        write_shard(folder / f"model-{number}.safetensors", tensor_bytes=64 * number)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))


def test_the_shards_of_an_index_count_together(folder: Path):
    _sharded(folder, {"a": "model-1.safetensors", "b": "model-2.safetensors", "c": "model-1.safetensors"})

    sizes = [(folder / f"model-{number}.safetensors").stat().st_size for number in (1, 2)]
    assert find_base_model(str(folder)).weight_bytes == sum(sizes)


def test_a_missing_shard_is_named(folder: Path):
    _sharded(folder, {"a": "model-1.safetensors", "b": "model-3.safetensors"})

    assert f"{folder} lacks model-3.safetensors" in refused(folder)


@pytest.mark.parametrize("weight_map", [{}, None, ["model-1.safetensors"], {"a": 1}])
def test_an_index_that_names_no_shards_is_refused(folder: Path, weight_map: object):
    _sharded(folder, weight_map)

    assert f"{folder} lacks" in refused(folder)


@pytest.mark.parametrize(
    "damage", [lambda config: config.pop("vocab_size"), lambda config: config.update(hidden_size="64")]
)
def test_sizes_that_a_plan_needs_are_asked_for(folder: Path, damage: Callable[[dict[str, object]], object]):
    config = json.loads((folder / "config.json").read_text())
    damage(config)
    (folder / "config.json").write_text(json.dumps(config))
    base = find_base_model(str(folder))  # good enough to answer with

    with pytest.raises(ModelError, match=r"config\.json does not give (vocab_size|hidden_size)\."):
        require_sizes(base)


def test_a_changed_model_has_another_fingerprint(folder: Path):
    before = find_base_model(str(folder)).fingerprint
    write_shard(folder / "model.safetensors", tensor_bytes=128)

    assert find_base_model(str(folder)).fingerprint != before


def test_a_billion_layers_are_refused(folder: Path):
    (folder / "config.json").write_text(json.dumps(CONFIG | {"num_hidden_layers": 10**9}))

    assert "names 1000000000 layers" in refused(folder)


def test_a_file_name_that_no_disk_takes_is_refused(folder: Path):
    index = {"weight_map": {"weight": "x" * 5000}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))

    assert "names a file outside its folder" in refused(folder)
