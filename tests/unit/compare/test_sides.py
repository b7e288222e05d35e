"""Sides: base, run, adapter's folder, whole model's folder; each found by what lies there, each fault named."""

import json
import struct
from pathlib import Path

import pytest

from tests.fakes.run_record import run_record
from toolkit.compare.compare import CompareConfig, compare
from toolkit.compare.sides import BASE, base_of, find_side, run_side
from toolkit.core.errors import ConfigError, ModelError
from toolkit.core.files import data_folder, file_sha256, write_json
from toolkit.runs.run import read_run, write_record

RUN = "v0-20260101-000000"


def model_at(folder: Path) -> Path:
    """As much of a model as is looked at without loading it."""
    folder.mkdir(parents=True)
    header = json.dumps({"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + bytes(4))
    write_json(folder / "config.json", {"model_type": "qwen2", "dtype": "float32"})
    for name in ("tokenizer.json", "tokenizer_config.json"):
        write_json(folder / name, {})
    return folder


def adapter_at(folder: Path, base: str) -> Path:
    folder.mkdir(parents=True)
    write_json(folder / "adapter_config.json", {"base_model_name_or_path": base})
    (folder / "adapter_model.safetensors").write_bytes(b"adapter")
    (folder / "trainer_state.json").write_text("{}", encoding="utf-8")
    return folder


@pytest.fixture(name="base")
def _base(tmp_path):
    return model_at(tmp_path / "base")


@pytest.fixture(name="output")
def _output(tmp_path, base):
    """One finished run, with a checkpoint."""
    adapter_at(tmp_path / "output" / RUN / "checkpoint-4", str(base))
    write_record(tmp_path / "output" / RUN, run_record(base_model={"name": "base", "path": str(base)}))
    return tmp_path / "output"


def test_base_is_what_the_other_side_stands_on(base, output):
    beside = find_side(RUN, output, beside=None).model

    side = find_side(BASE, output, beside=beside)

    assert (side.kind, side.name, side.model.path, side.adapter, side.key) == ("base", "base", base, None, None)


def test_a_named_base_model_goes_before_the_other_sides(base, output, tmp_path):
    other = model_at(tmp_path / "other")
    beside = find_side(RUN, output, beside=None).model

    assert find_side(BASE, output, beside=beside, model=str(other)).model.path == other


@pytest.fixture(name="in_4_bits")
def _in_4_bits(output, base):
    """The run, as if it had been trained so."""
    recorded = {"name": "base", "path": str(base), "load_in_4bit": True}
    write_record(output / RUN, read_run(output / RUN).record.with_fields(base_model=recorded))
    return find_side(RUN, output, beside=None)


def test_the_base_of_a_run_is_loaded_as_it_was_trained_on(in_4_bits, base, output, tmp_path):
    beside = in_4_bits.model

    assert beside.in_4bit
    assert in_4_bits.to_dict()["model"]["load_in_4bit"] is True
    before = find_side(BASE, output, beside=beside)
    assert (before.name, before.model.in_4bit) == ("base in 4 bits", True)
    assert find_side("system:You are Nova.", output, beside=beside).model.in_4bit


def test_a_base_model_that_moved_is_loaded_so_too(in_4_bits, output, tmp_path):
    moved = str(model_at(tmp_path / "moved"))

    assert find_side(RUN, output, beside=None, model=moved).model.in_4bit
    assert find_side(BASE, output, beside=in_4_bits.model, model=moved).model.in_4bit
    assert not find_side(BASE, output, beside=None, model=moved).model.in_4bit


def test_older_runs_and_whole_models_are_loaded_as_they_are(base, output):
    assert not find_side(RUN, output, beside=None).model.in_4bit
    assert not find_side(str(base), output, beside=None).model.in_4bit


def test_an_adapter_beside_a_run_in_4_bits_is_put_onto_the_same_base(in_4_bits, output, tmp_path, base):
    adapter = str(adapter_at(tmp_path / "mine", str(base)))

    assert find_side(adapter, output, beside=in_4_bits.model).model.in_4bit
    assert not find_side(adapter, output, beside=None).model.in_4bit


def test_a_base_in_4_bits_and_in_full_are_two_loads(in_4_bits, base, output):
    loads = []

    def load(folder, adapters, *, in_4bit=False):
        loads.append((folder, in_4bit))
        raise ModelError("enough")

    with pytest.raises(ModelError):
        compare(
            CompareConfig(
                run=RUN, before=str(base), output=output, probes=data_folder() / "probes.yaml", systems=("Be brief.",)
            ),
            load=load,
        )  # fmt: skip
    assert loads == [(base, False)]


@pytest.mark.parametrize("name", [RUN, "v0"])
def test_a_run_by_id_and_by_number(base, output, name):
    side = find_side(name, output, beside=None)

    assert (side.kind, side.name, side.model.path) == ("run", RUN, base)
    assert side.adapter == output / RUN / "checkpoint-4"
    assert side.key


def test_a_run_by_folder_from_anywhere(output, tmp_path):
    assert find_side(str(output / RUN), tmp_path / "elsewhere", beside=None).kind == "run"


def test_a_run_whose_base_moved_is_found_by_name(output, base, tmp_path, monkeypatch):
    monkeypatch.setenv("TOOLKIT_DATA", str(tmp_path / "data"))
    (tmp_path / "data" / "locks").mkdir(parents=True)
    base.rename(tmp_path / "moved")
    monkeypatch.chdir(tmp_path)
    record = read_run(output / RUN).record.with_fields(base_model={"name": "moved", "path": str(base)})
    write_record(output / RUN, record)

    assert run_side(read_run(output / RUN)).model.path == tmp_path / "moved"


def test_an_adapters_folder_stands_on_the_base_that_it_names(base, output, tmp_path):
    adapter = adapter_at(tmp_path / "adapter", str(base))

    side = find_side(str(adapter), output, beside=None)

    assert (side.kind, side.model.path, side.adapter) == ("adapter", base, adapter)


def test_an_adapters_folder_stands_on_the_other_sides_base_first(output, tmp_path, base):
    adapter = adapter_at(tmp_path / "adapter", f"elsewhere/{base.name}")
    beside = find_side(RUN, output, beside=None).model

    assert find_side(str(adapter), output, beside=beside).model.path == base


def test_an_adapter_of_another_base_is_not_put_on_the_other_sides_base_in_silence(output, tmp_path, base):
    adapter = adapter_at(tmp_path / "adapter", "nowhere/at-all")
    beside = find_side(RUN, output, beside=None).model

    with pytest.raises(ConfigError, match=r"names nowhere/at-all as its base model.*--model"):
        find_side(str(adapter), output, beside=beside)
    assert find_side(str(adapter), output, beside=beside, model=str(base)).model.path == base


def test_a_run_whose_adapter_or_its_settings_changed_is_refused(output):
    run = read_run(output / RUN)
    name, digest = run.adapter.name, file_sha256(run.adapter / "adapter_model.safetensors")
    settings = file_sha256(run.adapter / "adapter_config.json")
    record = {"path": name, "sha256": digest, "bytes": 1, "config_sha256": settings}
    write_record(output / RUN, run.record.with_fields(status="finished", adapter=record))
    assert run_side(read_run(output / RUN)).adapter == run.adapter

    for file in ("adapter_model.safetensors", "adapter_config.json"):
        before = (run.adapter / file).read_bytes()
        (run.adapter / file).write_bytes(before + b" ")
        with pytest.raises(ModelError, match=f"{file} is not the file that was trained"):
            run_side(read_run(output / RUN))
        (run.adapter / file).write_bytes(before)


def test_two_adapters_have_two_keys_and_one_has_one(base, output, tmp_path):
    first = find_side(str(adapter_at(tmp_path / "one", str(base))), output, beside=None)
    second = find_side(str(adapter_at(tmp_path / "two", str(base))), output, beside=None)

    assert first.key != second.key
    assert first.key == find_side(str(tmp_path / "one"), output, beside=None).key
    assert first.key.isidentifier()  # peft makes it part of a module's name


def test_a_whole_model_stands_for_itself(output, tmp_path):
    model = model_at(tmp_path / "merged")

    side = find_side(str(model), output, beside=None)

    assert (side.kind, side.model.path, side.adapter) == ("model", model, None)


def test_under_a_merged_model_lies_what_it_was_merged_from(base, output, tmp_path):
    merged = model_at(tmp_path / "merged")
    write_json(merged / "export.json", {"base_model": {"name": "base", "path": str(base)}})

    assert base_of(find_side(str(merged), output, beside=None)).path == base


@pytest.mark.parametrize("manifest", [None, "", "[]", '{"base_model": null}'])
def test_base_of_a_model_that_does_not_say_its_own_must_be_named(output, tmp_path, manifest):
    model = model_at(tmp_path / "foreign")
    if manifest is not None:
        (model / "export.json").write_text(manifest, encoding="utf-8")

    with pytest.raises(ConfigError, match="does not say which base model it comes from"):
        compare(CompareConfig(after=str(model), output=output))


def test_a_name_that_is_nothing_tells_which_runs_there_are(output):
    with pytest.raises(ConfigError, match=f"No side 'v7'.*{RUN}"):
        find_side("v7", output, beside=None)


def test_pickled_adapter_weights_are_refused(base, output, tmp_path):
    adapter = adapter_at(tmp_path / "adapter", str(base))
    (adapter / "adapter_model.safetensors").rename(adapter / "adapter_model.bin")

    with pytest.raises(ConfigError, match="pickled weights can run code"):
        find_side(str(adapter), output, beside=None)


@pytest.mark.parametrize("config", ["{", "[]", "{}", '{"base_model_name_or_path": null}'])
def test_an_adapter_that_names_no_base_is_told(base, output, tmp_path, config):
    adapter = adapter_at(tmp_path / "adapter", str(base))
    (adapter / "adapter_config.json").write_text(config, encoding="utf-8")

    with pytest.raises((ConfigError, ModelError), match="--model"):
        find_side(str(adapter), output, beside=None)


def test_what_a_side_is_goes_into_the_report(output, base):
    told = find_side(RUN, output, beside=None).to_dict()

    assert set(told) == {"kind", "name", "model", "adapter", "adapter_sha256", "scale", "system"}
    assert told["model"]["path"] == str(base)
    assert len(told["adapter_sha256"]) == 64


def test_a_prompt_is_a_side_on_the_other_sides_base(output, base):
    beside = find_side(RUN, output, beside=None).model

    side = find_side("system: You are Nova. ", output, beside=beside)

    assert (side.kind, side.system, side.model.path, side.adapter) == ("system", "You are Nova.", base, None)
    assert side.name == side.to_dict()["system"] == "You are Nova."
    assert len(find_side(f"system:{'long ' * 40}", output, beside=beside).name) == 60


def test_a_prompt_without_a_text_is_refused(output):
    with pytest.raises(ConfigError, match="no text behind it"):
        find_side("system: ", output, beside=find_side(RUN, output, beside=None).model)


@pytest.mark.parametrize(("name", "scale"), [("v0@0.5", 0.5), ("v0@0", 0), (f"{RUN}@1.0", 1), (f"{RUN}@0.25", 0.25)])
def test_a_run_at_part_of_its_strength(output, name, scale):
    side = find_side(name, output, beside=None)

    assert (side.name, side.scale) == (RUN, scale)
    assert side.to_dict()["name"] == (RUN if scale == 1 else f"{RUN}@{scale:g}")
    assert side.adapter_switch == (side.key if scale == 1 else f"{side.key}@{scale:g}")


@pytest.mark.parametrize("name", ["v0@1.5", "v0@-1", "v0@half", "@0.5"])
def test_a_strength_beyond_is_no_side(output, name):
    with pytest.raises(ConfigError, match="No side"):
        find_side(name, output, beside=None)


def test_what_has_no_adapter_cannot_be_scaled(output, base):
    with pytest.raises(ConfigError, match="has no adapter to scale"):
        find_side(f"{base}@0.5", output, beside=None)
    with pytest.raises(ConfigError, match="has no adapter to scale"):
        compare(CompareConfig(after=str(base), scale=0.5, output=output))
