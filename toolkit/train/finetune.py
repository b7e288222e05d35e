"""Fine-tunes a base model on a data set with LoRA, in this process, and records the run from start to end."""

import shlex
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from toolkit.core.errors import ConfigError, Interrupted
from toolkit.core.events import Caller, Listener, Progress
from toolkit.core.read_ahead import prefetch
from toolkit.core.text import short
from toolkit.data.containers.forked import can_fork
from toolkit.data.encoding import Encoder
from toolkit.data.probes_from_rows import require_askable
from toolkit.data.soundness import Reading
from toolkit.model.base_model import BaseModel, find_base_model, find_trained_base, require_sizes
from toolkit.model.device import Device, find_device
from toolkit.model.families.template_files import folder_takes_tools
from toolkit.model.four_bits import require_bitsandbytes
from toolkit.runs.checkpoints import last_intact_checkpoint
from toolkit.runs.layout import KEEP_CACHE, LOG_FILE, PROBES_FILE, checkpoint_step, resume_command
from toolkit.runs.record import FINISHED, RunRecord
from toolkit.runs.recording import Recorder, finish, forget_steps_after, recording, remove_leftovers, versions
from toolkit.runs.run import Run, create_run_folder, find_run, locked, read_run, require_own_files, require_own_output
from toolkit.train import ms_swift
from toolkit.train.beside_rows import Beside, keep_job, need_of, question_job, read_given, take_given, thought_job
from toolkit.train.development_set import development_set, new_markers, probe_keys, read_questions, write_questions
from toolkit.train.job import TRAINING, TrainingJob, TrainingResult, ending_lines, length_line, record_result
from toolkit.train.planning.plan import choices, plan, recipe_of, require_context, require_disk
from toolkit.train.questions.question import Question
from toolkit.train.recipe import Recipe, recipe_from
from toolkit.train.rows import (
    RunRows,
    as_trained,
    copy_inputs,
    copy_probes,
    file_digests,
    held_out,
    own_system,
    read_rows,
    rows_that_fit,
    write_left_out,
    write_rows,
)
from toolkit.train.sources import Loaded, is_large, load_keep_prompts, load_rows, loaded_during
from toolkit.train.tracking.tracker import require_tracker, tracked
from toolkit.train.variants import with_variants, without_variants

Train = Callable[[TrainingJob, Listener, Callable[[], bool]], TrainingResult]


@dataclass(frozen=True, kw_only=True)
class FinetuneConfig:
    """What the caller asks for; `recipe` already includes the caller's own settings."""

    data: str
    recipe: Recipe
    model: str | None = None
    mix: tuple[str, ...] = ()
    test: str | None = None  # rows that are not trained, for the scores of a comparison
    reading: Reading = Reading()  # noqa: RUF009  # it is frozen
    questions: Path | None = None  # in place of those that the base model writes
    track: str | None = None  # the tracker that gets the curves too
    compared: bool = False  # afterwards, with the data set's own probes or those from its rows
    output: Path = Path("output")
    command: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Backends:
    """The libraries behind a fine-tuning; tests pass fakes."""

    imports: Callable[[], None] = ms_swift.import_all
    encoder: Callable[[Path, int], Encoder] = ms_swift.encoder
    train: Train = ms_swift.train
    device: Callable[[str], Device] = find_device


@dataclass(frozen=True, kw_only=True)
class _Work:
    """A run in progress; the recorder writes its run.json."""

    folder: Path
    recorder: Recorder
    base: BaseModel
    recipe: Recipe
    caller: Caller
    backends: Backends
    track: str | None = None


def finetune(
    config: FinetuneConfig, caller: Caller, backends: Backends | None = None, started: float | None = None
) -> Run:
    """Trains and returns a new run. Raises ToolkitError: a wrong request leaves no folder, a later failure is recorded.

    `started`: when the process began (on `time.perf_counter`'s clock), if it does nothing but this.
    """
    began, recipe = time.perf_counter(), config.recipe
    require_tracker(config.track)
    base = replace(find_base_model(config.model), in_4bit=recipe.load_in_4bit)
    recipe = recipe_of(base, recipe)
    require_sizes(base)
    require_context(base, recipe.max_length_tokens)
    if base.in_4bit:
        require_bitsandbytes()
    load = partial(load_rows, config.data, config.mix, recipe, config.reading, test=config.test,
                   takes_tools=folder_takes_tools(base.path))  # fmt: skip
    if backends is None and is_large(config.data) and can_fork():  # before anything starts threads
        loaded, imported_s = loaded_during((partial(prefetch, base.path), Backends().imports), load, caller)
    else:
        prefetch(base.path)
        loaded, imported_s = load(notify=caller.notify, listener=caller.listener), 0.0
    if config.compared:
        require_askable(loaded.rows, Path(loaded.source["path"]))
    # Their errors come now, before there is a folder.
    held_out(len(loaded.rows), recipe.eval_split, recipe.seed)
    if recipe.keep_weight:
        load_keep_prompts(recipe.keep_data, loaded.rows)
    questions = read_given(config.questions, recipe, Path(loaded.source["path"]))
    require_disk(config.output, base, recipe)
    folder = create_run_folder(config.output)
    remove_leftovers(config.output)
    recorder = Recorder(folder, RunRecord.first_record(
        run_id=folder.name, command=shlex.join(config.command), seed=recipe.seed, base_model=base.to_dict(),
        data=loaded.source, recipe=recipe.to_dict(),
    ))  # fmt: skip
    backends = backends or Backends()
    work = _Work(folder=folder, recorder=recorder, base=base, recipe=recipe, caller=caller, backends=backends,
                 track=config.track)  # fmt: skip
    with locked(folder), recording(recorder):
        caller.notify(f"run: {folder}")
        started = _import(work, began, started, imported_s)
        rows = _prepare(work, loaded, config, questions)
        _carry_out(work, rows, started)
        return finish(recorder)


def resume(
    name: str, output: Path, caller: Caller, backends: Backends | None = None, started: float | None = None,
    *, compared: bool = False,
) -> Run:  # fmt: skip
    """Continues an unfinished run from its last checkpoint, with its own settings and rows. Raises ToolkitError."""
    began = time.perf_counter()
    run = find_run(name, output)
    with locked(run.folder):
        run = read_run(run.folder)
        if run.record.status == FINISHED:
            raise ConfigError(f"{run.run_id} is finished.", next="Start a new run, or name one that was interrupted.")
        require_own_files(run)
        require_tracker(run.record.tracker)
        require_own_output(run.folder.parent)
        remove_leftovers(run.folder.parent)
        checkpoint = last_intact_checkpoint(run.folder, caller.notify)
        rows = read_rows(run.folder, run.record.data)
        if compared and not (run.folder / PROBES_FILE).is_file():
            require_askable(rows.trained, Path(run.record.data.path))
        recorder = Recorder(run.folder, run.record.resumed(checkpoint.name))
        work = _recorded_work(recorder, find_trained_base(run.record.base_model), caller, backends)
        with recording(recorder):
            caller.notify(f"run: {run.folder}, from {checkpoint.name}")
            forget_steps_after(checkpoint_step(checkpoint), run.folder / LOG_FILE)
            started = _import(work, began, started)
            _carry_out(work, rows, started, resume_from=checkpoint)
            return finish(recorder)


def repeat(
    run: Run, base: BaseModel, output: Path, caller: Caller, command: Sequence[str], backends: Backends | None = None
) -> Run:
    """Trains as `run` was trained, from the files in its folder, into a new run in `output`. Raises ToolkitError.

    What the base model says before it is trained comes from no cache.
    """
    began = time.perf_counter()
    rows = read_rows(run.folder, run.record.data)
    folder = create_run_folder(output)
    record = run.record.repeated(run_id=folder.name, command=shlex.join(command), base_model=base.to_dict())
    recorder = Recorder(folder, record, cache=folder / KEEP_CACHE)
    work = _recorded_work(recorder, base, caller, backends)
    with locked(folder), recording(recorder):
        caller.notify(f"run: {folder}, which repeats {run.run_id}")
        copy_inputs(run.folder, folder)
        started = _import(work, began, None)
        _carry_out(work, rows, started)
        return finish(recorder)


def _recorded_work(recorder: Recorder, base: BaseModel, caller: Caller, backends: Backends | None) -> _Work:
    """With the settings that the record has."""
    if base.in_4bit:
        require_bitsandbytes()
    prefetch(base.path)
    recipe, folder = recorder.record.recipe, recorder.folder
    return _Work(
        folder=folder, recorder=recorder, base=base, caller=caller, backends=backends or Backends(),
        track=recorder.record.tracker,
        recipe=recipe_from(recipe.settings, name=recipe.name, source=str(folder)),
    )  # fmt: skip


def _import(work: _Work, began: float, started: float | None, imported_s: float = 0) -> float:
    """Imports the libraries, and records the time since the process began; returns where the total is counted from.

    `imported_s`: what they took before, while the rows were read.
    """
    counted_from = began if started is None else started
    before = time.perf_counter()
    work.backends.imports()
    seconds = began - counted_from + imported_s + time.perf_counter() - before
    work.recorder.record = work.recorder.record.with_timings(
        **{"import": round(seconds, 3)}, read=round(before - began - imported_s, 3)
    )
    return counted_from


def _prepare(work: _Work, loaded: Loaded, config: FinetuneConfig, questions: Sequence[Question] | None) -> RunRows:
    """The rows that fit, split and written to the run's folder with the user's questions, if any."""
    recipe, path = work.recipe, config.questions
    own, rows = as_trained(loaded, work.recorder.record.data.rows, recipe, thinks=work.base.thinks)
    encoder = work.backends.encoder(work.base.path, recipe.max_length_tokens)
    write_left_out(work.folder, loaded.left_out)
    split, figures = rows_that_fit(
        rows, encoder, recipe, work.caller.notify, work.caller.listener, own=own, skip_bad=config.reading.skip_bad,
    )  # fmt: skip
    record, data = work.recorder.record, Path(work.recorder.record.data.path)
    if config.compared:
        require_askable(split.trained, data)  # again: the others were too long, or are held out
    write_rows(work.folder, split, loaded.test)
    copy_probes(data, work.folder)
    if recipe.stop_when_took:
        write_questions(work.folder, development_set(
            split.own, system=recipe.system, seed=recipe.seed,
            excluded=probe_keys(data), markers=new_markers(data),
        ))  # fmt: skip
    system, count = own_system(split.trained)
    if system is not None:
        under = f"{short(system)!r}, which {count} of {len(split.trained)} rows have themselves"
        work.caller.notify(f"system prompt: {under}; compare, chat and serve ask under it")
    stored = record.data.to_dict() | figures | {"system": system, "files": file_digests(work.folder)}
    work.recorder.record = record.with_fields(data=stored)
    if path is not None and questions is not None:
        take_given(questions, path, work.recorder, recipe, split.trained, encoder, work.caller.notify)
    return split


def _carry_out(work: _Work, rows: RunRows, started: float, resume_from: Path | None = None) -> None:
    recorder, recipe = work.recorder, work.recipe
    device = work.backends.device(recipe.precision)
    keep = keep_job(recorder, work.base, recipe, rows.every)
    questions = question_job(recorder, work.base, recipe, rows, keep, work.caller.notify)
    assert recorder.record.data.longest_row_tokens is not None  # recorded with the rows, before any checkpoint
    longest = recorder.record.data.longest_row_tokens
    thoughts = thought_job(recorder, work.base, recipe, rows, longest, work.caller.notify)
    beside = Beside(keep=keep, questions=questions, thoughts=thoughts)
    chosen = plan(need_of(recipe, work.base, device, recorder.record.data, beside), device.free_bytes)
    for line in (
        *choices(device, chosen, work.base),
        length_line(recorder.record, recipe, len(rows.trained), work.folder.parent),
    ):
        work.caller.notify(line)
    decided = {"precision": device.precision, **chosen.to_dict()}
    recorder.record = recorder.record.with_plan(recipe=decided, hardware=device.to_dict(), versions=versions())
    before = recorder.record.timings_s["import"] + recorder.record.timings_s["read"]
    recorder.record = recorder.record.with_timings(encode=round(time.perf_counter() - started - before, 3))
    recorder.write()
    job = TrainingJob(
        model_folder=work.base.path, run_folder=work.folder, rows=with_variants(rows.trained, recipe),
        tokens=rows.tokens, eval_rows=without_variants(rows.held_out, recipe), eval_tokens=rows.held_out_tokens,
        recipe=recipe, plan=chosen, resume_from=resume_from,
        precision=device.precision, decoder_layers=int(work.base.config["num_hidden_layers"]), keep=keep,
        questions=questions, thoughts=thoughts,
        development=read_questions(work.folder) if recipe.stop_when_took else (),
    )  # fmt: skip
    stop = work.caller.stop

    def on_progress(event: Progress) -> None:
        stop.gentle = stop.gentle or event.task == TRAINING  # before that there is nothing to save
        work.caller.listener(event)

    with tracked(recorder, work.track, on_progress, work.caller.notify) as listener:
        result = work.backends.train(job, listener, lambda: stop.requested)
    stop.gentle = False
    record_result(recorder, result, recipe.epochs_trained(len(rows.trained)), started)
    for line in ending_lines(result, work.recipe):
        work.caller.notify(line)
    if result.stopped:
        raise Interrupted(
            f"Interrupted after step {result.steps} of {result.total_steps}; the checkpoint is saved.",
            next=f'Go on with "{resume_command(work.folder)}".',
        )
