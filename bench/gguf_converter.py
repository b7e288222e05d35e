"""Compares our GGUF file with the one by llama.cpp's own converter, tensor by tensor and key by key.

python bench/gguf_converter.py MODEL_FOLDER LLAMA_CPP_CHECKOUT [f16|q8_0 …] > bench/results/gguf-converter-….json
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from gguf import GGUFReader

from toolkit.export.gguf_file import Origin, write_gguf
from toolkit.model.base_model import find_base_model
from toolkit.model.language_model import LanguageModel


def main(folder: str, checkout: Path, kinds: list[str]) -> None:
    base = find_base_model(folder)
    model = LanguageModel.load(base.path)
    results = {}
    for kind in kinds:
        with tempfile.TemporaryDirectory() as folder_name:
            ours, theirs = Path(folder_name) / "ours.gguf", Path(folder_name) / "theirs.gguf"
            origin = Origin(name=base.name, finetune="none", base_name=base.name)
            write_gguf(ours, base.path, base.config, model.tensors(), origin, kind)
            subprocess.run(
                [sys.executable, checkout / "convert_hf_to_gguf.py", base.path, "--outtype", kind, "--outfile", theirs],
                check=True, stdout=sys.stderr, env={**os.environ, "PYTHONPATH": str(checkout / "gguf-py")},
            )  # fmt: skip
            results[kind] = compare(GGUFReader(ours), GGUFReader(theirs))
    print(json.dumps({"model": base.name, **results}, indent=2))


def compare(ours: GGUFReader, theirs: GGUFReader) -> dict[str, object]:
    own, other = ({tensor.name: tensor for tensor in reader.tensors} for reader in (ours, theirs))
    keys = {name: [_value(reader, name) for reader in (ours, theirs)] for name in {*ours.fields, *theirs.fields}}
    return {
        "tensors": {"ours": len(own), "theirs": len(other)},
        "same_bytes": sum(
            own[name].tensor_type == tensor.tensor_type and bool((own[name].data == tensor.data).all())
            for name, tensor in other.items()
            if name in own
        ),
        "keys_that_differ": {
            name: values for name, values in sorted(keys.items()) if values[0] != values[1] and name != "GGUF.kv_count"
        },
    }


def _value(reader: GGUFReader, name: str) -> object:
    return reader.fields[name].contents() if name in reader.fields else None


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]).absolute(), sys.argv[3:] or ["f16", "q8_0"])
