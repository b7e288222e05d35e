"""What a training imports."""

import subprocess
import sys

SHARE = """
import sys, sysconfig
from pathlib import Path
from toolkit.train import ms_swift
from toolkit.core.read_ahead import library_files

ms_swift.import_all()
packages = Path(sysconfig.get_path("purelib"))
specs = [module.__spec__ for module in list(sys.modules.values()) if getattr(module, "__spec__", None)]
files = [Path(file) for spec in specs if (file := spec.cached or spec.origin)]
imported = {file for file in files if file.is_relative_to(packages) and file.stat().st_size < 64_000_000}
models = packages / "transformers" / "models"
imported = {file for file in imported if not file.is_relative_to(models)}
print(len(imported & set(library_files(packages))) / len(imported))
"""


def test_nearly_all_of_it_is_read_ahead():
    done = subprocess.run([sys.executable, "-c", SHARE], capture_output=True, text=True, check=True)

    assert float(done.stdout) > 0.85
