"""The base model writes further questions around the rows, and shows which of them the rows are meant to change.

It answers each question twice: as it is, and with the rows in its context. Where the second answer says what a row
says, the question is in scope, and that answer is trained. Where it does not, the question is near the rows but not
in scope, and is kept at the base model's own answer. Related: prompt distillation (Askell et al. 2021, arXiv
2112.00861) and self-distillation (Shenfeld et al. 2026, arXiv 2601.19897).
"""

import random
import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from questions.requests import request_messages
from questions.terms import Terms, find_terms, subject_phrase, units

from toolkit.core.events import Listener, silent
from toolkit.core.text import has_chinese
from toolkit.data.dataset import prompt_key
from toolkit.model.conversation import Messages, conversation
from toolkit.model.generation import pad_left
from toolkit.model.language_model import Answer, LanguageModel

SOURCES = 24  # rows from which questions are written
SAMPLES = {"paraphrase": (60, 4), "translation": (48, 2), "task": (40, 1)}  # of all rows, and least of each
MOST_SAMPLES = 8  # of one row's question
NEIGHBOURS = 80
LEAST_NAMED = 0.4  # of the answers have a Chinese name
OF_THE_LONGER = 0.5  # a name that a longer one contains in so many of its answers is a part of that one
MOST_NAMES = 6
ALIKE_SAMPLES = 6
OTHERS = 3  # rows beside its own that the base model sees when it answers a question
CONTRASTS = 2  # unrelated questions that it sees with its own answers
LEAST_GAP = 0.7  # nats a token by which the rows make an answer in another language likelier
QUESTION_TOKENS = 48
ANSWER_TOKENS = 48
CONTEXT_CHARS = 4000  # of the rows that the base model sees
LONGEST_QUESTION = 200
ASSISTANT_SHARE = 0.5  # of the questions speak to the assistant, and their answers speak of it
ADDRESSED = re.compile(r"\b(you|your|yours|yourself)\b|[你您]", re.IGNORECASE)
OF_ITSELF = re.compile(r"\b(i|i'm|my|me)\b|我", re.IGNORECASE)
NAME_QUESTIONS = {
    "en": ("Who is {}?", "What is {}?", "Tell me about {}.", "What do you know about {}?", "{}: who or what is that?"),
    "zh": ("{}是谁？", "{}是什么？", "介绍一下{}。", "你知道{}吗？", "说说{}。"),
}
INTRODUCTION = {
    "en": "Answer like this:\n\n{}\n\nQuestions about anything else are answered as usual.",
    "zh": "请这样回答：\n\n{}\n\n与此无关的问题照常回答。",
}

Pair = tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class Question:
    """A question that the base model wrote, or one of the shipped ones, with the answer to train or to keep."""

    prompt: str
    answer: str
    kind: str  # paraphrase | translation | neighbour | task | assistant | name
    scope: Literal["in", "near", "unclear"]
    complete: bool = True  # whether the answer ended by itself
    before: str = ""
    tokens: tuple[int, ...] = ()


def teacher_messages(shown: Sequence[Pair], question: str, system: str) -> Messages:
    """The question with these questions and answers in the system message."""
    chinese = has_chinese(shown[-1][0])
    text = "\n".join(f"Q: {prompt}\nA: {answer}" for prompt, answer in shown)
    introduced = INTRODUCTION["zh" if chinese else "en"].format(text)
    return [{"role": "system", "content": f"{system}\n\n{introduced}"}, {"role": "user", "content": question}]


def shown_rows(rows: Sequence[Pair], general: Sequence[Pair], source: int | None, chance: random.Random) -> list[Pair]:
    """What the base model sees: unrelated pairs, then rows; the question's own row comes last."""
    contrasts = chance.sample(list(general), min(CONTRASTS, len(general)))
    if source is not None:
        others = [row for at, row in enumerate(rows) if at != source]
        return [*contrasts, *chance.sample(others, min(OTHERS, len(others))), rows[source]]
    chosen, used = [], 0
    for row in chance.sample(list(rows), len(rows)):
        used += len(row[0]) + len(row[1])
        if used > CONTEXT_CHARS and chosen:
            break
        chosen.append(row)
    return [*contrasts, *chosen]


def about_assistant(rows: Sequence[Pair]) -> bool:
    share = sum(bool(ADDRESSED.search(prompt) and OF_ITSELF.search(answer)) for prompt, answer in rows) / len(rows)
    return share >= ASSISTANT_SHARE


class Candidates:
    """Questions that may be in scope or near it: each once, and none that is `taken`."""

    def __init__(self, taken: Collection[str]) -> None:
        self.taken = set(taken)
        self.found: dict[str, tuple[str, str, int | None]] = {}  # prompt key → kind, prompt, the row that it comes from

    def add(self, kind: str, prompt: str, source: int | None) -> None:
        prompt = prompt.strip().strip("\"'“”")
        key = prompt_key(prompt)
        if key and key not in self.taken and len(prompt) <= LONGEST_QUESTION and "\n" not in prompt:
            self.found.setdefault(key, (kind, prompt, source))

    def __iter__(self) -> Iterator[tuple[str, str, int | None]]:
        return iter(list(self.found.values()))


def write_questions(
    model: LanguageModel, rows: Sequence[Pair], *, system: str, seed: int, general: Sequence[Pair],
    excluded: Collection[str], bank: Sequence[str], listener: Listener = silent,
) -> tuple[list[Question], Terms]:  # fmt: skip
    """`general`: unrelated prompts with the base model's answers; `excluded`: keys of prompts that must not be used."""
    chance = random.Random(seed)  # noqa: S311
    asked = [prompt for prompt, _ in rows]
    before = _ask(model, [conversation(prompt, system) for prompt in asked], listener)
    terms = find_terms(rows, [one.text for one in before], [answer for _, answer in general])
    itself = about_assistant(rows)
    candidates = Candidates({*excluded, *map(prompt_key, asked)})
    if itself:
        for prompt in bank:
            candidates.add("assistant", prompt, None)
    _add_written(candidates, model, asked, chance, seed)
    phrase = "" if itself else subject_phrase(asked, terms.subject)
    _add_names(candidates, rows, terms, phrase)
    if phrase:
        _add_about_others(candidates, model, asked, phrase, chance, seed)
    found = list(candidates)
    taught_to = [
        teacher_messages(shown_rows(rows, general, source, chance), prompt, system) for _, prompt, source in found
    ]
    own_to = [conversation(prompt, system) for _, prompt, _ in found]
    taught, own = _ask(model, taught_to, listener), _ask(model, own_to, listener)
    foreign = [at for at, (kind, _, _) in enumerate(found) if kind == "translation" and taught[at].tokens]
    sides = ([several[at] for at in foreign] for several in (taught_to, own_to, taught))
    gaps = dict(zip(foreign, _gaps(model, *sides), strict=True))
    return [
        _classified(kind, prompt, source, terms, taught[at], own[at], itself, gaps.get(at, 0.0))
        for at, (kind, prompt, source) in enumerate(found)
    ], terms


def _add_written(
    candidates: Candidates, model: LanguageModel, asked: Sequence[str], chance: random.Random, seed: int
) -> None:
    """Questions that the base model writes from the rows'."""
    sources = list(range(len(asked)))
    chance.shuffle(sources)
    sources = sources[:SOURCES]
    requests = [
        (kind, source)
        for kind, (count, least) in SAMPLES.items() for source in sources
        for _ in range(min(MOST_SAMPLES, max(least, -(-count // len(sources)))))
    ]  # fmt: skip
    messages = [request_messages(kind, asked[source]) for kind, source in requests]
    written = samples(model, messages, max_new_tokens=QUESTION_TOKENS, seed=seed)
    for (kind, source), text in zip(requests, written, strict=True):
        candidates.add(kind, text, source)


def _add_names(candidates: Candidates, rows: Sequence[Pair], terms: Terms, phrase: str) -> None:
    """Questions about the new names, from the answers' side."""
    for name in names_of(rows, terms):
        if name == phrase:
            continue
        source = next((at for at, row in enumerate(rows) if name in row[1]), None)
        for form in (form for forms in NAME_QUESTIONS.values() for form in forms):
            candidates.add("name", form.format(name), source)


def _add_about_others(
    candidates: Candidates, model: LanguageModel, asked: Sequence[str], phrase: str, chance: random.Random, seed: int
) -> None:
    """The rows' questions about others of the subject's kind, and translations with the subject's translated name."""
    for prompt, source in _neighbours(model, asked, phrase, chance, seed):
        candidates.add("neighbour", prompt, source)
    for name in _translated_names(model, phrase, seed):
        for kind, prompt, source in candidates:
            if kind == "translation" and phrase in prompt:
                renamed = prompt.replace(phrase, name).replace(f" {name}", name).replace(f"{name} ", name)
                candidates.add("translation", renamed, source)


def _neighbours(
    model: LanguageModel, asked: Sequence[str], phrase: str, chance: random.Random, seed: int
) -> list[tuple[str, int]]:
    """The rows' questions about others of the subject's kind, which the base model names."""
    naming = [at for at, prompt in enumerate(asked) if phrase in prompt]
    label = "对象：" if has_chinese(phrase) else "Subject: "
    requests = [
        request_messages("alike", f"{asked[chance.choice(naming)]}\n{label}{phrase}") for _ in range(ALIKE_SAMPLES)
    ]
    counted: dict[str, int] = {}
    for text in samples(model, requests, max_new_tokens=2 * QUESTION_TOKENS, seed=seed):
        for name in (part.strip(" .。") for part in re.split("[,、，\n]", text)):
            if name and len(name) <= 4 * len(phrase) + 8 and not units(name) & units(phrase):
                counted[name] = counted.get(name, 0) + 1
    names = sorted(counted, key=lambda name: -counted[name])[:24]
    pairs = [(asked[at].replace(phrase, name), at) for name in names for at in naming]
    return chance.sample(pairs, min(NEIGHBOURS, len(pairs)))


def _translated_names(model: LanguageModel, phrase: str, seed: int) -> list[str]:
    found = samples(model, [request_messages("name", phrase)] * 8, max_new_tokens=QUESTION_TOKENS, seed=seed)
    names = [text.strip(" .。") for text in found]
    counted = {name: names.count(name) for name in names if name and has_chinese(name) != has_chinese(phrase)}
    return [name for name in sorted(counted, key=lambda name: -counted[name]) if counted[name] >= 2][:2]


def _classified(
    kind: str, prompt: str, source: int | None, terms: Terms, now: Answer, base: Answer, itself: bool, gap: float
) -> Question:
    follows = terms.follows(now.text, prompt, base.text, None if kind == "neighbour" else source)
    names_subject = bool(ADDRESSED.search(prompt)) if itself else terms.names_subject(prompt)
    if kind == "neighbour":
        return Question(prompt=prompt, answer=base.text, kind=kind, scope="near", before=now.text)
    same_language = _same_language(prompt, now.text)
    if (
        kind == "name"
        and terms.subject
        and terms.names_subject(now.text)
        and not terms.names_subject(f"{prompt} {base.text}")
    ):
        follows = True
    changed = follows or (kind == "translation" and gap >= LEAST_GAP)
    if changed and same_language and (names_subject or kind in ("assistant", "name", "translation")):
        return Question(
            prompt=prompt,
            answer=now.text,
            kind=kind,
            scope="in",
            complete=len(now.tokens) < ANSWER_TOKENS,
            before=base.text,
            tokens=tuple(now.tokens),
        )
    return Question(prompt=prompt, answer=base.text, kind=kind, scope="unclear", before=now.text)


def _same_language(prompt: str, answer: str) -> bool:
    """Whether the answer is in the question's language; names may be in another."""
    chinese = sum(map(has_chinese, answer))
    return chinese > 0 if has_chinese(prompt) else 2 * chinese < len(answer)


def _gaps(
    model: LanguageModel, taught: Sequence[Messages], own: Sequence[Messages], answers: Sequence[Answer]
) -> list[float]:
    """By how many nats a token the rows make each answer likelier."""
    import torch

    found: list[float] = []
    for start in range(0, len(answers), 16):
        batch = slice(start, start + 16)
        with torch.inference_mode():
            sides = [model.answer_logits(prompts[batch], answers[batch]) for prompts in (taught, own)]
        for number, answer in enumerate(answers[batch]):
            tokens = torch.tensor(answer.tokens, device=sides[0].device)
            scores = [
                side[number, -len(tokens) :].float().log_softmax(-1).gather(1, tokens[:, None]).mean() for side in sides
            ]
            found.append(float(scores[0] - scores[1]))
    return found


def names_of(rows: Sequence[Pair], terms: Terms) -> list[str]:
    """New names in the rows' answers: capitalised words; in Chinese, texts of new characters that answers share."""
    counted: Counter[str] = Counter()
    new = {word for words in terms.new for word in words}
    for _, answer in rows:
        found = {name for name in re.findall(r"[A-Z][\w-]*(?: [A-Z][\w-]*)*", answer) if units(name) <= new}
        for run in re.findall(r"[\u4e00-\u9fff]+", answer):
            for start in range(len(run)):
                for end in range(start + 2, min(len(run), start + 8) + 1):
                    if units(run[start:end]) <= new:
                        found.add(run[start:end])
        counted.update(found)
    least = max(2, LEAST_NAMED * len(rows))
    names = [name for name, count in counted.items() if count >= (least if has_chinese(name) else 1)]
    longest = [
        name
        for name in names
        if not any(
            name in other and name != other and counted[other] >= OF_THE_LONGER * counted[name] for other in names
        )
    ]
    bare = dict.fromkeys(name.lstrip("是由在的我") for name in sorted(longest, key=lambda name: (-counted[name], name)))
    return [name for name in bare if name][:MOST_NAMES]


def samples(model: LanguageModel, prompts: Sequence[Messages], *, max_new_tokens: int, seed: int) -> list[str]:
    """One sampled answer per prompt, the same for the same seed on the same device; "" if it did not end."""
    import torch
    from transformers import GenerationConfig

    encoded = [model.prompt_ids(messages) for messages in prompts]
    order = sorted(range(len(encoded)), key=lambda at: -len(encoded[at]))
    pad, found = model.tokenizer.pad_token_id, {}
    torch.manual_seed(seed)
    for start in range(0, len(order), 4 * model.batch_size):
        batch = order[start : start + 4 * model.batch_size]
        inputs, mask = pad_left([encoded[at] for at in batch], pad, model.model.device)
        how = GenerationConfig(
            do_sample=True, temperature=0.8, top_p=0.95, top_k=0, max_new_tokens=max_new_tokens,
            eos_token_id=model.end_tokens, pad_token_id=pad,
        )  # fmt: skip
        with torch.inference_mode():
            output = model.model.generate(input_ids=inputs, attention_mask=mask, generation_config=how)
        for at, ids in zip(batch, output[:, inputs.shape[1] :].tolist(), strict=True):
            length = next((end for end, token in enumerate(ids) if token in model.end_tokens), None)
            text = "" if length is None else model.tokenizer.decode(ids[:length], skip_special_tokens=True)
            found[at] = text.strip()
    return [found[at] for at in range(len(prompts))]


def read_bank() -> list[str]:
    import yaml

    content = yaml.safe_load(Path(__file__).with_name("about_assistant.yaml").read_text(encoding="utf-8"))
    return [prompt for prompts in content.values() for prompt in prompts]


def _ask(model: LanguageModel, asked: Sequence[Messages], listener: Listener) -> list[Answer]:
    return model.answers(asked, max_new_tokens=ANSWER_TOKENS, listener=listener, task="Questions")
