"""Signals: gentle while a training can save itself, immediate everywhere else, and restored afterwards."""

import os
import signal
from pathlib import Path

import pytest

from toolkit.core.events import (
    REPORTED_ITEMS,
    Progress,
    StopRequests,
    Task,
    ignores_hangup,
    interrupting_signals,
    items_file,
    read_items,
    read_tasks,
    reporting,
    stop_requests,
    writing_to,
)

SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


@pytest.mark.parametrize("number", SIGNALS)
def test_outside_a_gentle_phase_a_signal_interrupts_at_once(number: signal.Signals):
    with stop_requests(lambda _: None), pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", SIGNALS)
def test_in_a_gentle_phase_the_first_signal_asks_and_says_so(number: signal.Signals):
    notes: list[str] = []
    with stop_requests(notes.append) as stop:
        stop.gentle = True
        os.kill(os.getpid(), number)

        assert stop.requested

    assert notes == [f"{number.name}: saving after this step; a second signal stops at once."]


@pytest.mark.parametrize("second", SIGNALS)
def test_the_second_signal_stops_at_once(second: signal.Signals):
    with stop_requests(lambda _: None) as stop:
        stop.gentle = True
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), second)


@pytest.mark.parametrize("second", SIGNALS)
def test_under_a_launcher_several_signals_are_one_request(second: signal.Signals):
    notes: list[str] = []
    with stop_requests(notes.append) as stop:
        stop.gentle = stop.patient = True
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), second)

        assert stop.requested

    assert notes == ["SIGTERM: saving after this step."]


def test_a_signal_after_the_gentle_phase_interrupts():
    with stop_requests(lambda _: None) as stop:
        stop.gentle = True
        stop.gentle = False
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)

        assert not stop.requested


def test_the_previous_handlers_are_restored():
    before = [signal.getsignal(number) for number in SIGNALS]
    with stop_requests(lambda _: None) as stop:
        assert [signal.getsignal(number) for number in SIGNALS] == [stop.receive] * len(SIGNALS)

    assert [signal.getsignal(number) for number in SIGNALS] == before


def test_the_previous_handlers_are_restored_after_an_error():
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(ZeroDivisionError), stop_requests(lambda _: None):
        _ = 1 / 0

    assert signal.getsignal(signal.SIGTERM) == before


def test_requests_start_empty():
    stop = StopRequests(lambda _: None)

    assert not stop.gentle
    assert not stop.requested


def test_under_nohup_a_hangup_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        for within in (stop_requests(lambda _: None), interrupting_signals()):
            with within:
                assert ignores_hangup()
                os.kill(os.getpid(), signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_what_would_end_the_process_interrupts_it_and_only_within(number: signal.Signals):
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt), interrupting_signals():
        os.kill(os.getpid(), number)
    assert signal.getsignal(number) == before


def test_many_items_report_how_far_they_are_and_few_do_not():
    heard: list[Progress] = []
    few, many = range(REPORTED_ITEMS), range(2 * REPORTED_ITEMS + 1)

    assert list(reporting(few[:-1], "few", heard.append)) == list(few[:-1])
    assert heard == []
    assert list(reporting(many, "many", heard.append)) == list(many)

    assert [(one.task, one.done, one.total) for one in heard] == [
        ("many", done, len(many)) for done in (REPORTED_ITEMS, 2 * REPORTED_ITEMS, len(many))
    ]


def test_another_process_reads_the_last_event_of_each_task_with_its_times(tmp_path: Path):
    file = tmp_path / "progress.json"
    listener = writing_to(file)
    for done in (0, 10, 20):
        listener(Progress(task="Training", done=done, total=20, detail="loss 0.42"))
    writing_to(file)(Progress(task="Comparing", done=1))  # the command's next part

    training, comparing = read_tasks(file)
    assert training.event == Progress(task="Training", done=20, total=20, detail="loss 0.42")
    assert training.began_at <= training.at
    assert comparing.event == Progress(task="Comparing", done=1)
    assert comparing.seconds_left is None


def test_what_is_finished_is_kept_beside_the_tasks_in_its_order(tmp_path: Path):
    listener = writing_to(tmp_path / "progress.json")
    for at in range(3):
        listener(Progress(task="After", done=at, total=3, texts={at: "a"}, items=[{"number": at, "answer": "ä\n"}]))
    with items_file(tmp_path / "progress.json").open("a", encoding="utf-8") as file:
        file.write('{"task": "Af')  # the line that is being written

    assert read_items(tmp_path / "progress.json") == [
        {"task": "After", "number": at, "answer": "ä\n"} for at in range(3)
    ]  # fmt: skip
    [task] = read_tasks(tmp_path / "progress.json")
    assert (task.event.texts, list(task.event.items)) == ({}, [])


def test_without_a_file_nothing_is_finished(tmp_path: Path):
    assert read_items(tmp_path / "progress.json") == []


def test_what_is_left_of_a_task_is_at_its_pace_so_far():
    assert Task(event=Progress(task="x", done=10, total=40), began_at=100, at=110).seconds_left == 30


def test_progress_that_cannot_be_written_stops_no_work(tmp_path: Path):
    writing_to(tmp_path / "none" / "progress.json")(Progress(task="x", done=1))

    assert read_tasks(tmp_path / "none" / "progress.json") == []
