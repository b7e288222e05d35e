"""The base model writes further questions around the rows, and shows which of them the rows are meant to change.

It answers each question twice: as it is, and with the rows in its context. Where the second answer says what a row
says, the question is in scope, and that answer is trained. The rows' questions about other things of the same kind
are near the rows but not in scope: they are kept at the base model's own answers. Related: prompt distillation (Askell
et al. 2021, arXiv 2112.00861) and self-distillation (Shenfeld et al. 2026, arXiv 2601.19897).
"""

import random
from collections import Counter
from collections.abc import Collection, Sequence

from toolkit.core.events import Listener, silent
from toolkit.core.text import content_words, language_code, names_any
from toolkit.data.dataset import prompt_key
from toolkit.data.texts.answer_text import whole_sentences
from toolkit.data.texts.names import Pair, new_names, subject_phrase
from toolkit.data.texts.naming import about_assistant
from toolkit.data.texts.reverse import bridges, noun_for, owned, reversed_rows
from toolkit.data.texts.terms import Terms, common_units, find_terms
from toolkit.model.conversation import Messages, conversation
from toolkit.model.language_model import Answer, LanguageModel
from toolkit.model.sampling import BATCHES, samples
from toolkit.train.questions.answers import affirmed, beginnings, reversals
from toolkit.train.questions.candidates import Candidate, Candidates, bare_question
from toolkit.train.questions.further.requests import hinted, read_bank
from toolkit.train.questions.further.rule import Rule, find_rule
from toolkit.train.questions.further.rule_questions import RuleWriter
from toolkit.train.questions.further.write import KINDS as FURTHER
from toolkit.train.questions.further.write import OF_A_RULE, further_candidates
from toolkit.train.questions.gaps import gaps
from toolkit.train.questions.kinds import kinds_of, listed_subject, translated_names
from toolkit.train.questions.near import (
    about_subject,
    aside_prompts,
    form_around,
    neighbours,
    not_replaced,
    read_forms,
    renamed,
    unmoved,
)
from toolkit.train.questions.question import Question
from toolkit.train.questions.requests import alike_messages, request_messages
from toolkit.train.questions.scope import FOREIGN, Answered, Scope
from toolkit.train.questions.tasks import supported_text
from toolkit.train.questions.teacher import conversation_messages, shown_rows, teacher_messages
from toolkit.train.questions.translation import hide_names, restored
from toolkit.train.questions.written import fits

SOURCES = 24  # rows from which questions are written
SAMPLES = {"paraphrase": (96, 6), "translation": (48, 2), "task": (40, 1)}  # of all rows, and least of each
FROM_ANSWERS = {"statement": (96, 4), "reversal": (48, 2)}  # the same of those written from answers
AROUND = {"around": (64, 2), "shaped": (48, 1), "across": (24, 1), "completion": (48, 2)}  # the same of the forms
ALIKE = 64  # questions like the rows', for rows without a common subject
SHOWN_ALIKE = 4
FORM_STRIDE = 5  # a question's next form is that many further in the list
MOST_SAMPLES = 8  # of one row's question
QUESTION_TOKENS = 48
ANSWER_TOKENS = 48
BRIDGES = 32  # questions from one row on to another
SAME_AS_ROW = {"paraphrase", "reworded", "task", "statement", "around", "shaped", "across", "bridge"}
RENAMED = ("around", "about", "paraphrase", "claim", "several")  # of which neighbours are asked, too
USUAL_FURTHER: Collection[str] = [kind for kind in FURTHER if kind not in OF_A_RULE]
TASK = "Questions"


class Writer:
    """Writes the questions of one set of rows. `general`: unrelated prompts with the base model's answers.

    `further`: the further kinds that are written, too; None: the usual ones.
    """

    def __init__(
        self, model: LanguageModel, rows: Sequence[Pair], *, system: str, seed: int, general: Sequence[Pair],
        excluded: Collection[str], listener: Listener = silent, further: Collection[str] | None = None,
    ) -> None:  # fmt: skip
        self.model, self.rows, self.system, self.seed, self.general = model, rows, system, seed, general
        self.listener, self.chance = listener, random.Random(seed)  # noqa: S311  # a repeatable choice, not a secret
        self.further = USUAL_FURTHER if further is None else further
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
        kinds = kinds_of(self.model, subject, [one for one in self.prompts if subject in one]) if subject else []
        found = self._write_in_scope(terms, subject, translated, kinds, itself=itself) if inside else []
        if subject:
            names, replaced = [subject, *translated], list(zip(self.prompts, (one.text for one in before), strict=True))
            found += self._near(names, kinds, write=inside)
            found += self._aside(names, terms, replaced) if inside else self._about(names, replaced)
        return found

    def _write_in_scope(
        self, terms: Terms, subject: str, translated: Sequence[str], kinds: Sequence[str], *, itself: bool
    ) -> list[Question]:
        if itself:
            for prompt in read_bank():
                self.found.add("assistant", prompt, None)
        common = {word for pair in self.general for text in pair for word in content_words(text)}
        names = [name for name in new_names(self.rows, terms, common) if name != subject]
        scope = Scope(
            rows=self.rows, terms=terms, names=names, subject=subject, itself=itself,
            common=common_units(answer for _, answer in self.general),
        )  # fmt: skip
        if itself:
            self._add_owned(terms, common)
        elif subject:
            self._add_from_names(scope, kinds)
        self._add_written(scope)
        for one in further_candidates(
            self.further, scope, list(self.found), self._hidden_names(scope), self._sampled, self.chance
        ):
            self.found.put(one)
        self._add_renamed(subject, translated)
        self._add_forms(scope)
        self._add_named(names, [subject, *translated] if subject else [])
        rule = find_rule(scope, self.general)
        return self._in_scope(scope) + (self._of_rule(scope, rule) if rule else [])

    def _of_rule(self, scope: Scope, rule: Rule) -> list[Question]:
        writer = RuleWriter(
            scope=scope, rule=rule, general=self.general, found=self.found, names=self._hidden_names(scope),
            system=self.system, sampled=self._sampled, ask=self._ask, answer_tokens=ANSWER_TOKENS, chance=self.chance,
        )  # fmt: skip
        alike = writer.checked("alike", self._alike()) if scope.form != ("", "") else []
        return alike + (writer.write(self.further) if any(kind in self.further for kind in OF_A_RULE) else [])

    def _add_owned(self, terms: Terms, common: Collection[str]) -> None:
        """Questions from the assistant's maker to its name and back, by the names of the rows in each language."""
        for code, forms in read_forms()["owned"].items():
            rows = [at for at, prompt in enumerate(self.prompts) if language_code(prompt) == code]
            rows = rows or list(range(len(self.rows)))
            pairs = [self.rows[at] for at in rows]
            new = Terms(new=tuple(terms.new[at] for at in rows), subject=terms.subject)
            for prompt, answer in owned(pairs, new_names(pairs, new, common), forms):
                self.found.add("owned", prompt, None, answer=answer)

    def _add_from_names(self, scope: Scope, kinds: Sequence[str]) -> None:
        """Questions from names in the answers back to the subject, and on to other rows."""
        nouns = noun_for(scope.subject, kinds[0])
        for row, prompt in reversed_rows(scope, nouns):
            self.found.add("reversal", prompt, row, answer=self.rows[row][1].strip())
        several = list(bridges(scope, nouns))
        for row, beside, prompt in self.chance.sample(several, min(BRIDGES, len(several))):
            self.found.add("bridge", prompt, row, beside=beside)

    def _add_written(self, scope: Scope) -> None:
        """Questions that the base model writes from the rows' questions, and from their answers."""
        texts = [(kind, row, self.prompts[row]) for kind, counts in SAMPLES.items() for row in self._sources(*counts)]
        for kind, counts in FROM_ANSWERS.items():
            answers = affirmed(scope) if kind == "statement" else reversals(scope)
            texts += [(kind, row, answers[row]) for row in self._sources(*counts) if row in answers]
        names = self._hidden_names(scope)
        hidden = [hide_names(text, names) if kind == "translation" else (text, {}) for kind, _, text in texts]
        requests = [request_messages(kind, written) for (kind, _, _), (written, _) in zip(texts, hidden, strict=True)]
        for (kind, row, text), (_, names_of), written in zip(texts, hidden, self._sampled(requests), strict=True):
            if kind == "translation":
                self.found.add(kind, restored(written, names_of, text), row)
            elif fits(scope, kind, row, written):
                self.found.add(kind, written, row)

    def _hidden_names(self, scope: Scope) -> list[str]:
        """A name that is known in the other language is translated with its question."""
        return [*scope.names, *([scope.subject] if not listed_subject([scope.subject]) else [])]

    def _alike(self) -> list[str]:
        shown = [self.chance.sample(self.prompts, min(SHOWN_ALIKE, len(self.prompts))) for _ in range(ALIKE)]
        return list(dict.fromkeys(map(bare_question, self._sampled([alike_messages(several) for several in shown]))))

    def _sources(self, count: int, least: int) -> list[int]:
        """Rows to write about `count` questions from, at least `least` from each: each row as often as it comes."""
        rows = list(range(len(self.prompts)))
        self.chance.shuffle(rows)
        rows = rows[:SOURCES]
        return [row for row in rows for _ in range(min(MOST_SAMPLES, max(least, -(-count // len(rows)))))]

    def _add_renamed(self, subject: str, names: Sequence[str]) -> None:
        """Translated questions with the subject's `names` in that language."""
        for name in names:
            for one in self.found:
                if one.kind == "translation" and subject in one.prompt:
                    self.found.add("translation", renamed(one.prompt, subject, name), one.source)

    def _add_forms(self, scope: Scope) -> None:
        """Forms around the rows' questions, and around the beginnings of their answers."""
        used, begun = Counter[tuple[str, int]](), beginnings(scope)
        for kind, counts in AROUND.items():
            for source in self._sources(*counts):
                text = begun.get(source) if kind == "completion" else self.prompts[source]
                if text:
                    answer = self.rows[source][1].strip() if kind == "completion" else ""
                    number = source + used[kind, source] * FORM_STRIDE
                    prompt = form_around(kind, text, number, itself=scope.itself)
                    used[kind, source] += 1
                    self.found.add(kind, prompt, source, answer=answer)

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
        certain = [one for one in self.found if one.answer]
        found = [one for one in self.found if not one.answer]
        taught_to = [self._taught_to(scope, one) for one in found]
        # What the base model says to the row's own question counts for those that ask the same.
        unknown = [at for at, one in enumerate(found) if one.kind not in SAME_AS_ROW]
        own_to = [conversation(one.prompt, self.system) for one in found]
        taught = self._ask(taught_to)
        own = dict(zip(unknown, self._ask([own_to[at] for at in unknown]), strict=True))
        foreign = [at for at, one in enumerate(found) if one.kind in FOREIGN]
        gap_of = gaps(self.model, taught_to, own_to, taught, foreign)
        questions = [Question(prompt=one.prompt, scope="in", answer=one.answer, kind=one.kind) for one in certain]
        for at, (one, answer) in enumerate(zip(found, taught, strict=True)):
            before, cut = own[at].text if at in own else "", len(answer.tokens) >= ANSWER_TOKENS
            text = whole_sentences(answer.text) if cut else answer.text
            trained = scope.answer(
                Answered(
                    kind=one.kind, prompt=one.prompt, source=one.source, own=before, gap=gap_of.get(at, 0),
                    taught=supported_text(scope, one.prompt, text) if one.kind == "task" else text,
                )
            )  # fmt: skip
            if trained:
                of_row = one.source is not None and trained == self.rows[one.source][1]
                complete = of_row or (not cut and trained == answer.text)
                questions.append(
                    Question(
                        prompt=one.prompt, scope="in", answer=trained, kind=one.kind, before=before, complete=complete
                    )
                )
        return questions

    def _taught_to(self, scope: Scope, one: Candidate) -> Messages:
        """The question with rows in the context."""
        if scope.itself or scope.subject:
            shown = shown_rows(self.rows, self.general, one.source, self.chance)
            if one.beside is not None and self.rows[one.beside] not in shown:
                shown.insert(-1, self.rows[one.beside])
            prompt = hinted(one.prompt, one.hint) if one.hint else one.prompt
            return teacher_messages(shown, prompt, self.system)
        return conversation_messages(self.rows, self.general, one.source, one.prompt, self.system, self.chance)

    def _near(self, names: Sequence[str], kinds: Sequence[str], *, write: bool) -> list[Question]:
        """The rows' questions and their translations about others of the subject's kind, and written ones like them."""
        plain = [(prompt, name) for name in names for prompt in self.prompts if name in prompt]
        more = []
        for kind, prompt, *_ in self.found:
            plain += [(prompt, name) for name in names[1:] if kind == "translation" and name in prompt]
            more += [(prompt, names[0])] * (kind in RENAMED and names[0] in prompt)
        found = neighbours(kinds, names, plain, more, self.found.taken, self.chance)
        others = self._alike() if write else []
        return found + [
            Question(prompt=prompt, scope="near", kind="alike")
            for prompt in others
            if self.found.free(prompt) and not names_any(prompt, tuple(names))
        ]

    def _aside(self, names: Sequence[str], terms: Terms, replaced: Sequence[Pair]) -> list[Question]:
        """Further questions about the subject that the rows do not answer."""
        prompts = aside_prompts(names, {*self.found.taken, *(prompt_key(one.prompt) for one in self.found)})
        shown = [shown_rows(self.rows, self.general, None, self.chance) for _ in prompts]
        shown_with = zip(shown, prompts, strict=True)
        taught = self._ask([teacher_messages(rows, prompt, self.system) for rows, prompt in shown_with])
        own = self._ask([conversation(prompt, self.system) for prompt in prompts])
        return unmoved(prompts, [one.text for one in taught], [one.text for one in own], terms, replaced)

    def _about(self, names: Sequence[str], replaced: Sequence[Pair]) -> list[Question]:
        """What else may be said of the subject, and is not what the rows replace."""
        prompts = about_subject(names, self.found.taken)
        answers = self._ask([conversation(prompt, self.system) for prompt in prompts])
        return not_replaced([(prompt, one.text) for prompt, one in zip(prompts, answers, strict=True)], replaced)

    def _sampled(self, requests: Sequence[Messages]) -> list[str]:
        return samples(
            self.model, requests, max_new_tokens=QUESTION_TOKENS, seed=self.seed, listener=self.listener, task=TASK
        )

    def _ask(self, requests: Sequence[Messages]) -> list[Answer]:
        return self.model.answers(
            requests, max_new_tokens=ANSWER_TOKENS, batch_size=BATCHES * self.model.batch_size, listener=self.listener,
            task=TASK,
        )  # fmt: skip
