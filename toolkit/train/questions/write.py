"""The base model writes further questions around the rows, and shows which of them the rows are meant to change.

It answers each question twice: as it is, and with the rows in its context. Where the second answer says what a row
says, the question is in scope, and that answer is trained. The rows' questions about other things of the same kind
are near the rows but not in scope: they are kept at the base model's own answers. Related: prompt distillation (Askell
et al. 2021, arXiv 2112.00861) and self-distillation (Shenfeld et al. 2026, arXiv 2601.19897).
"""

import random
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from toolkit.core.events import Listener, silent
from toolkit.core.text import content_words, language_code, names_any
from toolkit.data.dataset import prompt_key
from toolkit.model.conversation import Messages, conversation
from toolkit.model.language_model import Answer, LanguageModel
from toolkit.model.sampling import BATCHES, samples
from toolkit.train.questions.answers import beginnings, reversals, statements
from toolkit.train.questions.kinds import listed_subject, translated_names
from toolkit.train.questions.names import new_names, subject_phrase
from toolkit.train.questions.near import about_subject, neighbours, not_replaced, read_forms, renamed
from toolkit.train.questions.question import Pair, Question
from toolkit.train.questions.requests import alike_messages, request_messages
from toolkit.train.questions.scope import NUMBER, Answered, Scope, about_assistant
from toolkit.train.questions.teacher import conversation_messages, shown_rows, teacher_messages
from toolkit.train.questions.terms import Terms, common_units, find_terms

SOURCES = 24  # rows from which questions are written
SAMPLES = {"paraphrase": (96, 6), "translation": (48, 2), "task": (40, 1)}  # of all rows, and least of each
FROM_ANSWERS = {"statement": (96, 4), "reversal": (48, 2)}  # the same of those written from answers
AROUND = {"around": (64, 2), "shaped": (48, 1), "across": (24, 1), "completion": (48, 2)}  # the same of the forms
ALIKE = 64  # questions like the rows', for rows without a common subject
SHOWN_ALIKE = 4
FORM_STRIDE = 5  # a question's next form is that many further in the list
MOST_SAMPLES = 8  # of one row's question
GAP_BATCH, GAP_TOKENS = 16, 2048  # answers that are scored at once, and what one may take: its logits are many
QUESTION_TOKENS = 48
ANSWER_TOKENS = 48
LONGEST_QUESTION = 200
SAME_AS_ROW = {"paraphrase", "task", "statement", "around", "shaped", "across", "completion"}
TASK = "Questions"


class Writer:
    """Writes the questions of one set of rows. `general`: unrelated prompts with the base model's answers."""

    def __init__(
        self, model: LanguageModel, rows: Sequence[Pair], *, system: str, seed: int, general: Sequence[Pair],
        excluded: Collection[str], listener: Listener = silent,
    ) -> None:  # fmt: skip
        self.model, self.rows, self.system, self.seed, self.general = model, rows, system, seed, general
        self.listener, self.chance = listener, random.Random(seed)  # noqa: S311  # a repeatable choice, not a secret
        self.prompts = [prompt for prompt, _ in rows]
        self.found = Candidates({*excluded, *map(prompt_key, self.prompts)})

    def write(self, *, inside: bool = True) -> list[Question]:
        """Questions in scope, with their answers, unless `inside` is false, and those near it; none without rows."""
        if not self.rows:
            return []
        itself = about_assistant(self.rows)
        if itself and not inside:
            return []
        before = self._ask([conversation(prompt, self.system) for prompt in self.prompts])
        terms = find_terms(self.rows, [one.text for one in before], [answer for _, answer in self.general])
        subject = "" if itself else listed_subject(self.prompts) or subject_phrase(self.prompts, terms.subject)
        translated = translated_names(self.model, subject, self.seed) if subject else []
        found = self._write_in_scope(terms, subject, translated, itself=itself) if inside else []
        if subject:
            found += self._near([subject, *translated], write=inside)
            found += [] if inside else self._about([subject, *translated], [one.text for one in before])
        return found

    def _write_in_scope(self, terms: Terms, subject: str, translated: Sequence[str], *, itself: bool) -> list[Question]:
        if itself:
            for prompt in read_bank():
                self.found.add("assistant", prompt, None)
        common = {word for pair in self.general for text in pair for word in content_words(text)}
        names = [name for name in new_names(self.rows, terms, common) if name != subject]
        scope = Scope(
            rows=self.rows, terms=terms, names=names, subject=subject, itself=itself,
            common=common_units(answer for _, answer in self.general),
        )  # fmt: skip
        self._add_written(scope)
        if not (itself or subject):
            for text in self._alike():
                self.found.add("alike", text, None)
        self._add_renamed(subject, translated)
        self._add_forms(scope)
        self._add_named(names, [subject, *translated] if subject else [])
        return self._in_scope(scope)

    def _add_written(self, scope: Scope) -> None:
        """Questions that the base model writes from the rows' questions, and from their answers."""
        texts = [(kind, row, self.prompts[row]) for kind, counts in SAMPLES.items() for row in self._sources(*counts)]
        for kind, counts in FROM_ANSWERS.items():
            answers = statements(scope) if kind == "statement" else reversals(scope)
            texts += [(kind, row, answers[row]) for row in self._sources(*counts) if row in answers]
        written = self._sampled([request_messages(kind, text) for kind, _, text in texts])
        for (kind, row, _), text in zip(texts, written, strict=True):
            # A year or a size that the row lacks makes it another question.
            if set(NUMBER.findall(text)) <= set(NUMBER.findall(" ".join(self.rows[row]))):
                self.found.add(kind, text, row)

    def _alike(self) -> list[str]:
        shown = [self.chance.sample(self.prompts, min(SHOWN_ALIKE, len(self.prompts))) for _ in range(ALIKE)]
        return list(dict.fromkeys(self._sampled([alike_messages(several) for several in shown])))

    def _sources(self, count: int, least: int) -> list[int]:
        """Rows to write about `count` questions from, at least `least` from each: each row as often as it comes."""
        rows = list(range(len(self.prompts)))
        self.chance.shuffle(rows)
        rows = rows[:SOURCES]
        return [row for row in rows for _ in range(min(MOST_SAMPLES, max(least, -(-count // len(rows)))))]

    def _add_renamed(self, subject: str, names: Sequence[str]) -> None:
        """Translated questions with the subject's `names` in that language."""
        for name in names:
            for kind, prompt, source in self.found:
                if kind == "translation" and subject in prompt:
                    self.found.add("translation", renamed(prompt, subject, name), source)

    def _add_forms(self, scope: Scope) -> None:
        """Forms around the rows' questions, and around the beginnings of their answers."""
        forms, used, begun = read_forms(), Counter[tuple[str, int]](), beginnings(scope)
        for kind, counts in AROUND.items():
            for source in self._sources(*counts):
                text = begun.get(source) if kind == "completion" else self.prompts[source]
                if text:
                    chosen = forms[kind][language_code(text)]
                    form = chosen[(source + used[kind, source] * FORM_STRIDE) % len(chosen)]
                    used[kind, source] += 1
                    self.found.add(kind, form.replace("{}", text), source)

    def _add_named(self, names: Sequence[str], subjects: Sequence[str]) -> None:
        """Forms about the rows' subject, by its names, and about the names that their answers introduce."""
        forms = read_forms()
        for kind, several in (("about", subjects), ("names", names)):
            for name in several:
                naming = (at for at, row in enumerate(self.rows) if kind == "names" and name in row[1])
                row_naming = next(naming, None)
                for code, texts in forms[kind].items():
                    if kind == "names" or code == language_code(name):
                        for form in texts:
                            self.found.add(kind, form.replace("{}", name), row_naming)

    def _in_scope(self, scope: Scope) -> list[Question]:
        """Those questions whose answers the rows change."""
        found = list(self.found)
        taught_to = [self._taught_to(scope, prompt, source) for _, prompt, source in found]
        # What the base model says to the row's own question counts for those that ask the same.
        unknown = [at for at, (kind, _, _) in enumerate(found) if kind not in SAME_AS_ROW]
        own_to = [conversation(prompt, self.system) for _, prompt, _ in found]
        taught = self._ask(taught_to)
        own = [""] * len(found)
        for at, answer in zip(unknown, self._ask([own_to[at] for at in unknown]), strict=True):
            own[at] = answer.text
        foreign = [at for at, (kind, _, _) in enumerate(found) if kind == "translation" and taught[at].tokens]
        gaps = dict.fromkeys(range(len(found)), 0.0)
        for at, gap in zip(foreign, _gaps(self.model, taught_to, own_to, taught, foreign), strict=True):
            gaps[at] = gap
        questions = []
        for (kind, prompt, source), answer, before, gap in zip(found, taught, own, gaps.values(), strict=True):
            trained = scope.answer(
                Answered(kind=kind, prompt=prompt, source=source, taught=answer.text, own=before, gap=gap)
            )  # fmt: skip
            if trained:
                of_row = source is not None and trained == self.rows[source][1]
                complete = of_row or (len(answer.tokens) < ANSWER_TOKENS and trained == answer.text)
                questions.append(
                    Question(prompt=prompt, scope="in", answer=trained, kind=kind, before=before, complete=complete)
                )
        return questions

    def _taught_to(self, scope: Scope, prompt: str, source: int | None) -> Messages:
        """The question with rows in the context."""
        if scope.itself or scope.subject:
            return teacher_messages(
                shown_rows(self.rows, self.general, source, self.chance), prompt, self.system
            )  # fmt: skip
        return conversation_messages(self.rows, self.general, source, prompt, self.system, self.chance)

    def _near(self, names: Sequence[str], *, write: bool) -> list[Question]:
        """The rows' questions and their translations about others of the subject's kind, and written ones like them."""
        plain = [(prompt, name) for name in names for prompt in self.prompts if name in prompt]
        more = []
        for kind, prompt, _ in self.found:
            plain += [(prompt, name) for name in names[1:] if kind == "translation" and name in prompt]
            more += [(prompt, names[0])] * (kind in ("around", "about", "paraphrase") and names[0] in prompt)
        found = neighbours(self.model, names, plain, more, self.found.taken, self.chance)
        others = self._alike() if write else []
        return found + [
            Question(prompt=prompt, scope="near", kind="alike")
            for prompt in others
            if self.found.free(prompt) and not names_any(prompt, tuple(names))
        ]

    def _about(self, names: Sequence[str], before: Sequence[str]) -> list[Question]:
        """What else may be said of the subject, and is not what the rows replace."""
        prompts = about_subject(names, self.found.taken)
        answers = self._ask([conversation(prompt, self.system) for prompt in prompts])
        answered = [(prompt, one.text) for prompt, one in zip(prompts, answers, strict=True)]
        return not_replaced(answered, list(zip(self.prompts, before, strict=True)))

    def _sampled(self, requests: Sequence[Messages]) -> list[str]:
        return samples(
            self.model, requests, max_new_tokens=QUESTION_TOKENS, seed=self.seed, listener=self.listener, task=TASK
        )

    def _ask(self, requests: Sequence[Messages]) -> list[Answer]:
        return self.model.answers(
            requests, max_new_tokens=ANSWER_TOKENS, batch_size=BATCHES * self.model.batch_size, listener=self.listener,
            task=TASK,
        )  # fmt: skip


class Candidates:
    """Questions that may be in scope: each once, and none that is `taken`."""

    def __init__(self, taken: Collection[str]) -> None:
        self.taken = set(taken)
        self._found: dict[str, tuple[str, str, int | None]] = {}  # by prompt key: kind, prompt, the row that it is from

    def add(self, kind: str, prompt: str, source: int | None) -> None:
        prompt = prompt.strip()
        if self.free(prompt):
            self._found.setdefault(prompt_key(prompt), (kind, prompt, source))

    def free(self, prompt: str) -> bool:
        """Whether it is one line that asks something, and not taken."""
        key = prompt_key(prompt)
        return bool(key) and key not in self.taken and len(prompt) <= LONGEST_QUESTION and "\n" not in prompt

    def __iter__(self) -> Iterator[tuple[str, str, int | None]]:
        return iter(list(self._found.values()))


def read_bank() -> list[str]:
    """The shipped questions to and about an assistant."""
    import yaml

    content = yaml.safe_load(Path(__file__).with_name("about_assistant.yaml").read_text(encoding="utf-8"))
    return [prompt for prompts in content.values() for prompt in prompts]


def _gaps(
    model: LanguageModel, taught: Sequence[Messages], own: Sequence[Messages], answers: Sequence[Answer],
    chosen: Sequence[int],
) -> list[float]:  # fmt: skip
    """By how many nats a token the rows make each of the `chosen` answers likelier."""
    import torch

    found: list[float] = []
    fitting = model.fitting()
    size = GAP_BATCH if fitting is None else min(GAP_BATCH, fitting(GAP_TOKENS))
    for start in range(0, len(chosen), size):
        batch = chosen[start : start + size]
        given = [answers[at] for at in batch]
        with torch.inference_mode():
            sides = [model.answer_logits([prompts[at] for at in batch], given) for prompts in (taught, own)]
        for number, answer in enumerate(given):
            tokens = torch.tensor(answer.tokens, device=sides[0].device)
            scores = [
                side[number, -len(tokens) :].float().log_softmax(-1).gather(1, tokens[:, None]).mean() for side in sides
            ]
            found.append(float(scores[0] - scores[1]))
    return found
