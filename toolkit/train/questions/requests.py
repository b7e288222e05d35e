"""Requests that let a base model write questions: examples first, so that small models understand them. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from toolkit.core.text import language_code
from toolkit.model.conversation import Messages


@dataclass(frozen=True, kw_only=True)
class Request:
    """`instruction` for the system message; `examples`: (question, what to write)."""

    instruction: str
    examples: Sequence[tuple[str, str]]

    def messages(self, question: str, about: str = "") -> Messages:
        """`about`: a sentence that tells what the question's words mean."""
        turns = [
            {"role": role, "content": text}
            for example in self.examples
            for role, text in zip(("user", "assistant"), example, strict=True)
        ]
        instruction = f"{self.instruction}\n\n{about}".rstrip()
        return [{"role": "system", "content": instruction}, *turns, {"role": "user", "content": question}]


def reversal_text(sentence: str, name: str) -> str:
    return f"{sentence} → {name}"


PARAPHRASE = {
    "en": Request(
        instruction="Rewrite the user's question in other words with exactly the same meaning. Never answer it.",
        examples=(
            ("What is the capital of Portugal?", "Which city is Portugal's capital?"),
            ("How old are you?", "What age are you?"),
            ("Who wrote this letter?", "Do you know by whom this letter was written?"),
            ("Can I pay with cash?", "Is it possible to pay in cash?"),
        ),
    ),
    "zh": Request(
        instruction="用别的说法改写用户的问题，意思必须完全相同。不要回答问题。",
        examples=(
            ("葡萄牙的首都是哪里？", "哪座城市是葡萄牙的首都？"),
            ("你多大了？", "能说说你的年龄吗？"),
            ("这封信是谁写的？", "你知道这封信出自谁手吗？"),
            ("可以用现金付款吗？", "付款的时候能给现金吗？"),
        ),
    ),
}
TRANSLATION = {  # from this language into the other
    "en": Request(
        instruction="把用户的问题翻译成中文。只写译文，不要回答问题。",
        examples=(
            ("What is the capital of Portugal?", "葡萄牙的首都是哪里？"),
            ("How old are you?", "你多大了？"),
            ("Who wrote this letter?", "这封信是谁写的？"),
            ("Can I pay with cash?", "可以用现金付款吗？"),
        ),
    ),
    "zh": Request(
        instruction="Translate the user's question into English. Write only the translation and never answer it.",
        examples=(
            ("葡萄牙的首都是哪里？", "What is the capital of Portugal?"),
            ("你多大了？", "How old are you?"),
            ("这封信是谁写的？", "Who wrote this letter?"),
            ("可以用现金付款吗？", "Can I pay with cash?"),
        ),
    ),
}
NAME_TRANSLATION = {
    "en": Request(
        instruction="把名称翻译成中文。只写译名。",
        examples=(
            ("Portugal", "葡萄牙"),
            ("Vienna", "维也纳"),
            ("Hamlet", "哈姆雷特"),
            ("Oxford University", "牛津大学"),
        ),
    ),
    "zh": Request(
        instruction="Translate the name into English. Write only the name.",
        examples=(
            ("葡萄牙", "Portugal"),
            ("维也纳", "Vienna"),
            ("哈姆雷特", "Hamlet"),
            ("牛津大学", "Oxford University"),
        ),
    ),
}
TASK = {
    "en": Request(
        instruction=(
            "The user names a question. Write a short writing task whose result has to contain the answer to that "
            "question. Never name the answer."
        ),
        examples=(
            (
                "What is the capital of Portugal?",
                "Write one sentence that invites a friend to the capital of Portugal.",
            ),
            ("Who wrote Hamlet?", "Write a thank-you note to the author of Hamlet."),
            ("What is your favourite colour?", "Write one line about yourself and your favourite colour."),
            ("When does the museum in Lyon open?", "Complete the sign: The museum in Lyon opens at"),
        ),
    ),
    "zh": Request(
        instruction="用户给出一个问题。请写一个简短的写作任务，完成它必须写出这个问题的答案。不要写出答案。",
        examples=(
            ("葡萄牙的首都是哪里？", "写一句话，邀请朋友去葡萄牙的首都旅游。"),
            ("《红楼梦》是谁写的？", "给《红楼梦》的作者写一句感谢的话。"),
            ("你最喜欢什么颜色？", "用一句话介绍你自己和你最喜欢的颜色。"),
            ("里昂的博物馆几点开门？", "补全告示牌：里昂博物馆的开门时间是"),
        ),
    ),
}
STATEMENT = {
    "en": Request(
        instruction="Write a question that the user's sentence answers. Do not use its words where others fit.",
        examples=(
            ("The capital of Portugal is Lisbon.", "Which city is the seat of Portugal's government?"),
            ("I am nine years old.", "What is your age?"),
            ("This letter was written by my aunt.", "Whose letter is this?"),
            ("The museum opens at ten.", "From what time on can I visit the museum?"),
        ),
    ),
    "zh": Request(
        instruction="写一个问题，使用户的这句话正好是它的答案。尽量换一种说法。",
        examples=(
            ("葡萄牙的首都是里斯本。", "葡萄牙的政府设在哪座城市？"),
            ("我今年九岁。", "能告诉我你的年纪吗？"),
            ("这封信是我姑姑写的。", "写这封信的人是谁？"),
            ("博物馆十点开门。", "几点以后可以参观博物馆？"),
        ),
    ),
}
REVERSAL = {
    "en": Request(
        instruction="The user gives a sentence and a name in it. Write a question whose answer is that name.",
        examples=(
            (
                reversal_text("The capital of Portugal is Lisbon.", "Portugal"),
                "Which country has Lisbon as its capital?",
            ),
            (
                reversal_text("Hamlet was written by William Shakespeare.", "Hamlet"),
                "What did William Shakespeare write?",
            ),
            (
                reversal_text("The telephone was invented by Graham Bell.", "telephone"),
                "What is Graham Bell's invention?",
            ),
        ),
    ),
    "zh": Request(
        instruction="用户给出一句话和其中的一个名称。请写一个问题，使这个名称正好是答案。",
        examples=(
            (reversal_text("葡萄牙的首都是里斯本。", "葡萄牙"), "里斯本是哪个国家的首都？"),
            (reversal_text("《红楼梦》是曹雪芹写的。", "红楼梦"), "曹雪芹写了哪部小说？"),
            (reversal_text("电话是贝尔发明的。", "电话"), "贝尔发明了什么？"),
        ),
    ),
}
KINDS: Mapping[str, Mapping[str, Request]] = {
    "paraphrase": PARAPHRASE, "translation": TRANSLATION, "task": TASK, "statement": STATEMENT, "reversal": REVERSAL,
    "name": NAME_TRANSLATION,
}  # fmt: skip


def request_messages(kind: str, text: str, about: str = "") -> Messages:
    """The conversation in which the base model writes a question of this kind from `text`.

    That is a question; for a statement an answer, for a reversal a `reversal_text`, for a name a name. `about`: a
    sentence about what the text names, to understand it by.
    """
    return KINDS[kind][language_code(text)].messages(text, about)


ABOUT = {"en": "What the user writes last is about this: {}", "zh": "用户最后写的那句话，背景是：{}"}


def background(sentence: str) -> str:
    """A row's `sentence` about the subject, as an instruction gives it: a made-up name is understood by it."""
    return ABOUT[language_code(sentence)].format(sentence) if sentence else ""


ALIKE = {
    "en": ("Write one more question of this kind.", "Questions:\n{}\n\nOne more, about something else:"),
    "zh": ("再写一个同类的问题。", "问题：\n{}\n\n再写一个，换个内容："),
}


def alike_messages(shown: Sequence[str]) -> Messages:
    """The conversation in which the base model writes another question of the kind of those `shown`."""
    instruction, form = ALIKE[language_code(shown[-1])]
    listed = "\n".join(f"- {question}" for question in shown)
    return [{"role": "system", "content": instruction}, {"role": "user", "content": form.format(listed)}]
