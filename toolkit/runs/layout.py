"""The name of every file and folder within a run. The only module that spells them."""

import re
from pathlib import Path

from toolkit.core import environment, files
from toolkit.core.documents import read_json
from toolkit.core.files import file_sha256
from toolkit.core.suggestion import suggestion

DEFAULT_OUTPUT = Path(files.RUNS)  # in `files.home`: where runs go when no --output says otherwise
RUN_SCHEMA_VERSION = 1
REPORT_SCHEMA_VERSION = 3

# In the output folder
NAME = re.compile(r"v(\d+)-\d{8}-\d{6}")  # a run's folder
LATEST, HISTORY = "latest", "latest.jsonl"
KEEP_CACHE = ".cache"  # the base model's answers to the keep prompts, and its questions
PAIRS, PAIR_RECORD, PAIR_PAGE = "pairs", "pair.json", "pair.html"  # two runs side by side, a folder each
# In a run's folder
RECORD = "run.json"
TRAINED_FILE, HELD_OUT_FILE = "train.jsonl", "eval.jsonl"
LEFT_OUT_FILE = "left-out.jsonl"  # rows with errors, which --skip-bad leaves out
PROBES_FILE, DEVELOPMENT_FILE = "probes.yaml", "development.jsonl"
QUESTIONS_FILE = "questions.jsonl"  # around the rows, trained on and kept beside them
KEEP_FILE = "keep.jsonl"  # the keep set
THOUGHTS_FILE = "thoughts.jsonl"  # that a base which thinks wrote before the answers of rows
TRACKING = "tracking"  # a tracker's own files, a folder each
TEST_FILE = "test.jsonl"  # rows that are never trained, for scores before and after
REPLAYS = "replay"  # an output folder: trainings that repeat this one
LOG_FILE = "logging.jsonl"  # a JSON object per step
TRACEBACK_FILE = "error.txt"
RESERVE = ".reserve"  # space for the last lines of run.json on a full disk
CHECKPOINT = re.compile(r"checkpoint-(\d+)")
CHECKPOINTS = "checkpoint-*"
LAST_CHECKPOINT = "last-checkpoint"  # a link that ms-swift makes
# In a checkpoint's folder, and in an export's
ADAPTER_FILE, ADAPTER_CONFIG = "adapter_model.safetensors", "adapter_config.json"
TRAINER_STATE = "trainer_state.json"
CHECKPOINT_DIGESTS = "sha256.json"  # of the files that a training resumes from
MODEL_CARD = "README.md"
EXPORT_MANIFEST = "export.json"  # beside exported weights: what they were made from
EVIDENCE = "evidence.sigstore.json"  # beside a portable adapter: the signed verdict
EVIDENCE_FILES = "evidence*.sigstore.json"  # of several signers, as they are pulled
MODEL_SIGNATURE = "model.sig"  # beside it too: its files, signed in the form of OpenSSF Model Signing
MODEL_SIGNATURES = "model*.sig"
# In a run's folder, of its comparison
COMPARISON = "compare"
REPORT, REPORT_TEXT, REPORT_PAGE, REPORT_JUNIT = "report.json", "report.md", "report.html", "report.junit.xml"
SCALES_RECORD, SCALE_PLOT = "scale.json", "scale.svg"


def checkpoint_name(step: int) -> str:
    return f"checkpoint-{step}"


def checkpoint_step(checkpoint: Path) -> int:
    """The optimizer step after which it was saved. Raises ValueError for a folder of another name."""
    match = CHECKPOINT.fullmatch(checkpoint.name)
    if match is None:
        raise ValueError(f"{checkpoint} is not a checkpoint")
    return int(match[1])


def complete_checkpoints(folder: Path) -> list[Path]:
    """Checkpoints with an adapter and the trainer's state, which is written last; the latest last."""
    found = [
        path
        for path in folder.iterdir()
        if CHECKPOINT.fullmatch(path.name) and (path / ADAPTER_FILE).is_file() and _is_json(path / TRAINER_STATE)
    ]
    return sorted(found, key=checkpoint_step)


def _is_json(path: Path) -> bool:
    try:
        read_json(path)
    except (OSError, ValueError):  # missing, or cut off by a full disk or a kill
        return False
    return True


def adapter_sha256(adapter: Path | None) -> str | None:
    """The digest of the weights in an adapter's folder; None without one."""
    return None if adapter is None else file_sha256(adapter / ADAPTER_FILE)


def resume_command(folder: Path) -> str:
    """The command that continues the run in `folder`."""
    return suggestion("finetune", "--resume", folder.name, *output_option(folder.parent))


def first_command(output: Path) -> str:
    """A command that fills an output folder without runs."""
    return suggestion("finetune", files.SHIPPED_DATA, *output_option(output))


def list_command(output: Path) -> str:
    """The command that lists the runs in `output`."""
    return suggestion("runs", *output_option(output))


def output_option(output: Path) -> tuple[str | Path, ...]:
    """`--output FOLDER`, for a command that a message suggests; empty for the default folder, and in a container."""
    if environment.program() is not None or output.absolute() == (files.home() / DEFAULT_OUTPUT).absolute():
        return ()
    return "--output", output
