"""The base model writes further questions around the rows, and shows which of them the rows are meant to change.

It answers each question twice: as it is, and with the rows in its context. Where the second answer says what a row
says, the question is in scope, and that answer is trained. The rows' questions about other things of the same kind
are near the rows but not in scope: they are kept at the base model's own answers. Related: prompt distillation (Askell
et al. 2021, arXiv 2112.00861) and self-distillation (Shenfeld et al. 2026, arXiv 2601.19897).
"""

import random
from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from toolkit.core.events import Listener, silent
from toolkit.core.text import content_words, language_code
from toolkit.data.dataset import prompt_key
from toolkit.data.texts.answer_text import whole_sentences
from toolkit.data.texts.defining import Defined, apposed, defined, defining
from toolkit.data.texts.names import Pair, new_names, subject_phrase
from toolkit.data.texts.naming import about_assistant
from toolkit.data.texts.reverse import bridges, owned, reversed_rows
from toolkit.data.texts.terms import Terms, common_units, find_terms
from toolkit.model.conversation import Messages, conversation
from toolkit.model.language_model import Answer, LanguageModel
from toolkit.model.sampling import BATCHES, samples
from toolkit.train.questions.answers import affirmed, beginnings, reversals
from toolkit.train.questions.candidates import Candidates, bare_question
from toolkit.train.questions.further.claims import begins_with_a_name
from toolkit.train.questions.further.foreign import Foreign
from toolkit.train.questions.further.requests import read_bank
from toolkit.train.questions.further.rule import Rule, find_rule
from toolkit.train.questions.further.rule_questions import RuleWriter
from toolkit.train.questions.further.write import KINDS as FURTHER
from toolkit.train.questions.further.write import OF_A_RULE, further_candidates
from toolkit.train.questions.kinds import Kinds, kinds_of, listed_subject, nouns_for, translated_names
from toolkit.train.questions.near import form_around, read_forms
from toolkit.train.questions.near_writer import NearWriter
from toolkit.train.questions.question import Question
from toolkit.train.questions.requests import alike_messages, background, request_messages
from toolkit.train.questions.scope import FOREIGN, Answered, Scope
from toolkit.train.questions.tasks import supported_text
from toolkit.train.questions.taught import Taught
from toolkit.train.questions.translation import named_in, paired_names
from toolkit.train.questions.written import fits

SOURCES = 24  # rows from which the least is written: their number does not grow further with the rows
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
USUAL_FURTHER: Collection[str] = FURTHER
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
        self.ordinary = frozenset(word for pair in general for text in pair for word in content_words(text))
        self.defined: Defined | None = None  # by the row that says what the subject is
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
        self.defined = defined(self.rows, subject) if subject else None
        noun = self.defined.noun if self.defined else apposed(self.rows, subject) if subject else ""
        naming = [self.defined.sentence] if self.defined else [one for one in self.prompts if subject in one]
        kinds = kinds_of(self.model, subject, naming, noun) if subject else Kinds([], certain=False)
        found = self._write_in_scope(terms, subject, translated, kinds, itself=itself) if inside else []
        if subject:
            names, replaced = [subject, *translated], list(zip(self.prompts, (one.text for one in before), strict=True))
            near = NearWriter(
                rows=self.rows, general=self.general, system=self.system, found=self.found, ask=self._ask,
                chance=self.chance,
            )  # fmt: skip
            found += near.neighbours(names, kinds, self._new_names(terms, subject))
            found += near.alike(names, self._alike()) if inside else []
            found += near.aside(names, kinds, terms, replaced) if inside else near.about(names, replaced)
        return found

    def _write_in_scope(
        self, terms: Terms, subject: str, translated: Sequence[str], kinds: Kinds, *, itself: bool
    ) -> list[Question]:
        if itself:
            for prompt in read_bank():
                self.found.add("assistant", prompt, None)
        names = self._new_names(terms, subject)
        scope = Scope(
            rows=self.rows, terms=terms, names=names, subject=subject, itself=itself,
            common=common_units(answer for _, answer in self.general), ordinary=self.ordinary, translated=translated,
        )  # fmt: skip
        rule = find_rule(scope, self.general)
        nouns = self._nouns(subject, kinds) if kinds.certain and not translated else {}
        foreign = Foreign(scope=scope, nouns=nouns, pairs=paired_names(self.rows, terms, self.ordinary), rule=rule)
        if itself:
            self._add_owned(terms)
        elif subject:
            self._add_from_names(scope, kinds)
        self._add_written(scope, foreign)
        for one in further_candidates(self.further, scope, list(self.found), foreign, self._sampled, self.chance):
            self.found.put(one)
        self._add_forms(scope)
        # What a rule's answers name is chance, mostly a fragment: "Who is it, ask our?"
        self._add_named(names if itself or subject else [], [subject, *translated] if subject else [])
        return self._in_scope(scope, foreign) + (self._of_rule(scope, rule, foreign) if rule else [])

    def _of_rule(self, scope: Scope, rule: Rule, foreign: Foreign) -> list[Question]:
        writer = RuleWriter(
            scope=scope, rule=rule, general=self.general, found=self.found, foreign=foreign,
            system=self.system, sampled=self._sampled, ask=self._ask, answer_tokens=ANSWER_TOKENS, chance=self.chance,
        )  # fmt: skip
        alike = writer.checked("alike", self._alike()) if scope.form != ("", "") else []
        return alike + (writer.write(self.further) if any(kind in self.further for kind in OF_A_RULE) else [])

    def _new_names(self, terms: Terms, subject: str) -> list[str]:
        return [name for name in new_names(self.rows, terms, self.ordinary) if name != subject]

    def _add_owned(self, terms: Terms) -> None:
        """Questions from the assistant's maker to its name and back, by the names of the rows in each language."""
        for code, forms in read_forms()["owned"].items():
            rows, names = named_in(code, self.rows, terms, self.ordinary)
            for prompt, answer in owned(rows, names, forms):
                self.found.add("owned", prompt, None, answer=answer)

    def _add_from_names(self, scope: Scope, kinds: Kinds) -> None:
        """Questions from names in the answers back to the subject, and on to other rows."""
        nouns = self._nouns(scope.subject, kinds)
        defining_row = self.defined.row if self.defined else None  # "the library that is a library"
        for row, prompt in reversed_rows(scope, nouns):
            if row != defining_row and begins_with_a_name(scope, row, self.rows[row][1].strip()):
                self.found.add("reversal", prompt, row, answer=self.rows[row][1].strip())
        several = [one for one in bridges(scope, nouns) if one[1] != defining_row]
        for row, beside, prompt in self.chance.sample(several, min(BRIDGES, len(several))):
            self.found.add("bridge", prompt, row, beside=beside)

    def _nouns(self, subject: str, kinds: Kinds) -> Mapping[str, str]:
        return nouns_for(subject, kinds, self.defined.noun if self.defined else apposed(self.rows, subject))

    def _add_written(self, scope: Scope, foreign: Foreign) -> None:
        """Questions that the base model writes from the rows' questions, and from their answers."""
        texts = [(kind, row, self.prompts[row]) for kind, counts in SAMPLES.items() for row in self._sources(*counts)]
        for kind, counts in FROM_ANSWERS.items():
            answers = affirmed(scope) if kind == "statement" else reversals(scope)
            texts += [(kind, row, answers[row]) for row in self._sources(*counts) if row in answers]
        requests = [
            foreign.request(text)
            if kind == "translation"
            else (request_messages(kind, text, background(defining(self.defined, row))), {})
            for kind, row, text in texts
        ]
        found = self._sampled([messages for messages, _ in requests])
        for (kind, row, text), (_, hidden), written in zip(texts, requests, found, strict=True):
            if kind == "translation":
                self.found.add(kind, foreign.question(written, hidden, text), row)
            elif fits(scope, kind, row, written):
                self.found.add(kind, written, row)

    def _alike(self) -> list[str]:
        shown = [self.chance.sample(self.prompts, min(SHOWN_ALIKE, len(self.prompts))) for _ in range(ALIKE)]
        return list(dict.fromkeys(map(bare_question, self._sampled([alike_messages(several) for several in shown]))))

    def _sources(self, count: int, least: int) -> list[int]:
        """Rows to write about `count` questions from, at least `least` from each of `SOURCES`, each as often as it
        comes. Every row is taken once before one is taken again: a row without any is learned word by word.
        """
        rows = list(range(len(self.prompts)))
        self.chance.shuffle(rows)
        several = min(SOURCES, len(rows))
        total = several * min(MOST_SAMPLES, max(least, -(-count // several)))
        return sorted((rows[at % len(rows)] for at in range(total)), key=rows.index)

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

    def _in_scope(self, scope: Scope, foreign: Foreign) -> list[Question]:
        """Those questions whose answers the rows change."""
        certain = [one for one in self.found if one.answer]
        found = [one for one in self.found if not one.answer]
        # What the base model says to the row's own question counts for those that ask the same.
        unknown = [at for at, one in enumerate(found) if one.kind not in SAME_AS_ROW]
        teacher = Taught(
            scope=scope, foreign=foreign, general=self.general, system=self.system, ask=self._ask, chance=self.chance
        )
        taught = teacher.answers(found)
        own_to = [conversation(found[at].prompt, self.system) for at in unknown]
        own = dict(zip(unknown, self._ask(own_to), strict=True))
        back = teacher.translated_back(found, taught)
        questions = [Question(prompt=one.prompt, scope="in", answer=one.answer, kind=one.kind) for one in certain]
        for at, (one, answer) in enumerate(zip(found, taught, strict=True)):
            before, cut = own[at].text if at in own else "", len(answer.tokens) >= ANSWER_TOKENS
            text = whole_sentences(answer.text) if cut else answer.text
            text = supported_text(scope, one.prompt, text) if one.kind == "task" else text
            answered = Answered(kind=one.kind, prompt=one.prompt, source=one.source, taught=text, own=before)
            trained = foreign.answer(answered, back.get(at, "")) if one.kind in FOREIGN else scope.answer(answered)
            if trained:
                of_row = one.source is not None and trained == self.rows[one.source][1]
                complete = of_row or (not cut and trained == answer.text)
                questions.append(
                    Question(
                        prompt=one.prompt, scope="in", answer=trained, kind=one.kind, before=before, complete=complete
                    )
                )
        return questions

    def _sampled(self, requests: Sequence[Messages]) -> list[str]:
        return samples(
            self.model, requests, max_new_tokens=QUESTION_TOKENS, seed=self.seed, listener=self.listener, task=TASK
        )

    def _ask(self, requests: Sequence[Messages]) -> list[Answer]:
        return self.model.answers(
            requests, max_new_tokens=ANSWER_TOKENS, batch_size=BATCHES * self.model.batch_size, listener=self.listener,
            task=TASK,
        )  # fmt: skip
