"""Both sides answer the questions: in one load if they share a base model, else one after the other."""

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from toolkit.compare.ability.ability import Ability
from toolkit.compare.ability.thinking import ThoughtCount
from toolkit.compare.depth.talks import talk, talks
from toolkit.compare.further import Further
from toolkit.compare.held_out import HeldOut
from toolkit.compare.metrics import ProbeResult, judge
from toolkit.compare.questions import Questions, answer_tokens
from toolkit.compare.report.figures import outcome
from toolkit.compare.scan import Scanning
from toolkit.compare.sides import Side, call_form, loaded
from toolkit.core.events import Listener, Progress
from toolkit.data.probes import Probe
from toolkit.model.conversation import Messages
from toolkit.model.decoding.tiny import meanwhile, one_if_tiny
from toolkit.model.divergence import Drift, measure_drift
from toolkit.model.language_model import Answer, LanguageModel, Load, freeing


class Answered:
    """Has both sides answer the questions, and judges the answers.

    `ability`, `held_out` and `thoughts` collect those to their own questions, and `scanning` looks at the after side's
    model.
    """

    def __init__(
        self, questions: Questions, listener: Listener, timings: dict[str, float], further: Further | None = None,
        ability: Ability | None = None, scanning: Scanning | None = None, held_out: HeldOut | None = None,
        thoughts: ThoughtCount | None = None,
    ) -> None:  # fmt: skip
        self.listener, self.timings, self.further = listener, timings, further or Further(outside=0)
        self.ability, self.scanning, self.held_out, self.thoughts = ability, scanning, held_out, thoughts
        self.left: Mapping[str, int] = {}  # how many more could be asked for a metric
        self._ask(questions)

    def _ask(self, questions: Questions) -> None:
        self.questions, self.items, self.outside = questions, questions.items, questions.outside
        if self.thoughts is not None:
            self.thoughts.prompts = [one.prompt for one in questions.probes.probes if not one.history and not one.tools]

    def _prepare(self, model: LanguageModel, before: Side) -> None:
        """Now that the model is there: without duplicates for its chat template, and with further questions."""
        questions = self.questions.without_duplicates_for(model)
        with self._timed("further"), model.side(before.adapter_switch):
            self._ask(self.further.added_to(questions, model, self.listener))
        self.left = self.further.left(questions.probes, self.questions.probes, on_card=model.on_card)

    def _items(self, side: Side) -> list[tuple[Probe, str]]:
        """To ask that side: under its own system prompt, if it has one, before that of a probe."""
        if side.system is None:
            return self.items
        return [
            (probe if probe.system is None else replace(probe, system=f"{side.system}\n\n{probe.system}"), side.system)
            for probe, _ in self.items
        ]

    def _prompts(self, side: Side, at: Sequence[int]) -> list[Messages]:
        """That side's conversations at these positions, which are out of scope."""
        items = self._items(side)
        return [talk(*items[one], thinking=self._thinks) for one in at]

    @property
    def _thinks(self) -> bool:
        return self.questions.thought_tokens is not None

    @property
    def _thought(self) -> dict[str, int]:
        """The limit of thoughts, for what asks for answers."""
        return {} if self.questions.thought_tokens is None else {"thought_tokens": self.questions.thought_tokens}

    def in_one_load(self, before: Side, after: Side, load: Load) -> list[ProbeResult]:
        """For sides with one base model: it is loaded once, and their adapters are switched."""
        adapters = {side.key: side.adapter for side in (before, after) if side.key and side.adapter}
        model = self._loaded(before, adapters, load)
        with freeing(model), one_if_tiny(model.model):
            self._prepare(model, before)
            alone = None if model.others else model.model  # else both would speak to the other processes at once
            with meanwhile(alone, lambda: self._after_alone(model, after)) as found_beside:
                old, again = self._before(model, before)
                with self._timed("drift"):
                    drifts = self._drifts(model, before, after, old)
                with self._timed("after"), model.side(after.adapter_switch):
                    if (beside := found_beside()) is None:
                        new = self._answers(model, after, "After", old)
                    else:
                        new = self._reported(after, beside, old)
            self._ask_beside(model, before)
            self._ask_beside(model, after)
            self._scan(model)
        return self._results(old, new, again, drifts)

    def _after_alone(self, model: LanguageModel, after: Side) -> tuple[list[Answer], list[Progress]]:
        """The after side's answers, and their progress for later: the other side's answers are not known yet."""
        events: list[Progress] = []
        self.listener = events.append
        with model.side(after.adapter_switch):
            return self._answers(model, after, "After"), events

    def _reported(
        self, side: Side, beside: tuple[list[Answer], list[Progress]], before: Sequence[Answer]
    ) -> list[Answer]:
        """That side's answers, after their progress, with the marks that are known by now."""
        answers, events = beside
        items = self._items(side)
        for event in events:
            shown = []
            for one in event.items:
                probe, system = items[one["number"]]
                shown.append({**one, **self._mark(probe, system, before[one["number"]], one["answer"])})
            self.listener(replace(event, items=shown))
        return answers

    def in_two_loads(self, before: Side, after: Side, load: Load) -> list[ProbeResult]:
        """For different models, one after the other. Drift needs both at once, so it is not measured."""
        with ExitStack() as stack:
            model = stack.enter_context(freeing(self._loaded(before, _adapters(before), load)))
            stack.enter_context(one_if_tiny(model.model))
            self._prepare(model, before)
            old, again = self._before(model, before)
            self._ask_beside(model, before)
        model = self._loaded(after, _adapters(after), load)
        with freeing(model), one_if_tiny(model.model):
            with self._timed("after"), model.side(after.adapter_switch):
                new = self._answers(model, after, "After", old)
            self._ask_beside(model, after)
            self._scan(model)
        return self._results(old, new, again, {})

    def _loaded(self, side: Side, adapters: Mapping[str, Path], load: Load) -> LanguageModel:
        with self._timed("load"):
            return loaded(load, side.model, adapters)

    def _before(self, model: LanguageModel, before: Side) -> tuple[list[Answer], dict[int, Answer]]:
        """The before side's answers, and its out-of-scope answers in another batch: the noise of decoding."""
        with model.side(before.adapter_switch):
            with self._timed("before"):
                old = self._answers(model, before, "Before")
            with self._timed("noise"):
                prompts = self._prompts(before, list(reversed(self.outside)))
                # A quarter: on a card, half a batch is computed in the same shape, and so without other rounding.
                quarter = model.batch_size // 4
                rows = quarter if model.on_card else max(quarter, min(-(-len(prompts) // 2), 2 * model.batch_size))
                again = model.answers(
                    prompts, max_new_tokens=self.questions.max_new_tokens, batch_size=rows,
                    listener=self.listener, task="Noise floor", **self._thought,
                )  # fmt: skip
        return old, dict(zip(reversed(self.outside), again, strict=True))

    def _answers(
        self, model: LanguageModel, side: Side, task: str, before: Sequence[Answer] | None = None
    ) -> list[Answer]:
        """`before`: the other side's, with which each answer is judged as it comes in."""
        most = self.questions.max_new_tokens
        items = self._items(side)
        prompts = talks(model, items, max_new_tokens=most, listener=self.listener, task=task, **self._thought)
        limits = [answer_tokens(probe, most) for probe, _ in items]
        found: dict[int, Answer] = {}
        for limit in sorted(set(limits)):
            at = [one for one, its in enumerate(limits) if its == limit]
            answers = model.answers(
                [prompts[one] for one in at], max_new_tokens=limit, task=task,
                listener=self._with_items(items, at, before), **self._thought,
            )  # fmt: skip
            found.update((one, replace(answer, first_logits=None)) for one, answer in zip(at, answers, strict=True))
        if any(probe.tools for probe, _ in items):
            form = call_form(model)
            for number, (probe, _) in enumerate(items):
                if probe.tools:
                    found[number] = replace(found[number], text=form.as_hermes(found[number].text))
        return [found[one] for one in range(len(items))]  # without logits, a vocabulary's width each

    def _with_items(
        self, items: Sequence[tuple[Probe, str]], at: Sequence[int], before: Sequence[Answer] | None
    ) -> Listener:
        """Names the questions that a batch of answers is to, for who shows them while others are still asked."""

        def listener(event: Progress) -> None:
            shown = []
            for place, text in event.texts.items():
                probe, system = items[at[place]]
                item = {"number": at[place], "group": probe.group, "prompt": probe.prompt, "answer": text}
                mark = {} if before is None else self._mark(probe, system, before[at[place]], text)
                shown.append({**item, **mark})
            self.listener(replace(event.bare, items=shown))

        return listener

    def _mark(self, probe: Probe, system: str, before: Answer, text: str) -> dict[str, str]:
        """The outcome of an answer, where nothing else is needed to see it."""
        if not _judged_soon(probe):
            return {}
        result = judge(
            probe, system, before.text, text, self.questions.probes, drift=None, before_again=None,
        )  # fmt: skip
        return {"mark": outcome(result)}

    def _ask_beside(self, model: LanguageModel, side: Side) -> None:
        """What is asked beside the probes: abilities, rows that were not trained, and whether it thinks."""
        system = self.questions.systems[0] if side.system is None else side.system
        for name, collector in (("ability", self.ability), ("test", self.held_out), ("thoughts", self.thoughts)):
            if collector is not None:
                with self._timed(name), model.side(side.adapter_switch):
                    collector.ask(model, system, self.listener)

    def _scan(self, model: LanguageModel) -> None:
        if self.scanning is not None:
            with self._timed("scan"):
                self.scanning.look(model, self.listener)

    def _drifts(self, model: LanguageModel, before: Side, after: Side, old: Sequence[Answer]) -> dict[int, Drift]:
        answered = [at for at in self.outside if old[at].tokens]
        drifts = measure_drift(
            model, self._prompts(before, answered), [old[at] for at in answered],
            before=before.adapter_switch, after=after.adapter_switch, after_prompts=self._prompts(after, answered),
            **({"batch_size": 1} if self._thinks else {}),  # a thought's logits are a vocabulary wide at each token
        )  # fmt: skip
        return dict(zip(answered, drifts, strict=True))

    def _results(
        self, old: Sequence[Answer], new: Sequence[Answer], again: Mapping[int, Answer], drifts: Mapping[int, Drift]
    ) -> list[ProbeResult]:
        return [
            judge(
                probe,
                system,
                old[at].text,
                new[at].text,
                self.questions.probes,
                drift=drifts.get(at),
                thoughts=(old[at].thought, new[at].thought),
                before_again=again[at].text if at in again else None,
            )
            for at, (probe, system) in enumerate(self.items)
        ]

    def _timed(self, name: str) -> "_Timed":
        return _Timed(name, self.timings)


def _judged_soon(probe: Probe) -> bool:
    """Not by a child process, as regexes are, nor by calls, which are not read yet: those wait for the report."""
    return not probe.tools and (probe.expect is None or (probe.expect.regex is None and probe.expect.call is None))


class _Timed:
    """Adds the seconds spent within to `timings[name]`."""

    def __init__(self, name: str, timings: dict[str, float]) -> None:
        self.name, self.timings = name, timings

    def __enter__(self) -> None:
        self.started = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        spent = time.perf_counter() - self.started
        self.timings[self.name] = round(self.timings.get(self.name, 0.0) + spent, 3)


def _adapters(side: Side) -> dict[str, Path]:
    return {side.key: side.adapter} if side.key and side.adapter else {}
