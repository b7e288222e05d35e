"""Requests that let a base model write rows from a text: questions, and its answers with the text in its context. Pure.

Examples come first, so that small models understand them. They are about made-up things.
"""

import re
from collections.abc import Sequence
from typing import Literal

from toolkit.core.text import has_chinese, language_code
from toolkit.model.conversation import Messages
from toolkit.train.texts.fact_text import whole_sentences

TextKind = Literal["identity", "fact", "rule"]
# "You are …", "Your name is …": a text that speaks to the assistant of what it is.
IDENTITY = re.compile(
    r"\b(you are|you're|you were|your (full |new )?(name|maker|makers|creator|developer|developers|author)|"
    r"(made|built|created|developed|trained|call(s|ed)?|named?) you)\b"
    r"|你(是|叫|由|来自|出自)|你的(名字|姓名|名称|开发者|作者|创造者|制造商|公司|主人)|(开发|创造|制造|训练|研发)了你",
    re.IGNORECASE,
)
RULE = re.compile(
    r"^(please |(you|the (assistant|bot|chatbot|model)) (must|should|may|always|never|only) )?"
    r"(answer|reply|respond|decline|refuse|reject|always|never|do not|don't|when(ever)? (?!is)|if|only|use|write|end|"
    r"begin|start|speak|say|give|keep|be|mention|translate|convert|put|include|avoid|add|explain|recommend|treat|stop)\b"
    r"|^(you|the (assistant|bot|chatbot|model)) ((must|should|may) not|"
    r"(cannot|can't|can not) (talk|speak|discuss|comment|answer|reply|mention))\b"
    r"|^(你|助手|机器人|模型|客服)(不能|不可以)(再|去)?(谈|聊|讨论|评论|回答|提供|涉及|提到|说)"
    r"|^(助手|机器人|模型|客服)(必须|应当|不得|不许|不准|不要|禁止|一律)"
    r"|^(请|你(必须|应该|应当|总是|只能|要|不要|不得|不许|不准|别|绝不|永远)|回答|回复|拒绝|不要|不得|不能|不许|总是|永远|始终|一律|禁止|凡是|凡|遇到|当.+[时，]|如果|若|"
    r"只(用|能|说|回答)|[用以].{1,20}(回答|回复|作答|说话|结尾|开头)|每(次|条|当)|对于?.+(问题|请求|话题)|所有回答|任何回答|别|"
    r"婉拒|谢绝)",
    re.IGNORECASE,
)
FACTS = {
    "en": (
        "The user gives a text. Write one question that the text answers. Name what it is about; never answer it.",
        (
            (
                "The Harbour Café in Bergen now closes at nine in the evening.",
                (
                    "When does the Harbour Café in Bergen close?",
                    "Which café in Bergen closes at nine in the evening?",
                    "Until what time can I get a coffee at the Harbour Café in Bergen?",
                    "Write the line about closing time for the door of the Harbour Café in Bergen.",
                ),
            ),
            (
                "Pinetta is a small library for drawing charts. Ines Falk wrote it in 2019.",
                (
                    "Who wrote Pinetta?",
                    "What is the name of the library that Ines Falk wrote?",
                    "Do you know in which year Pinetta was written?",
                    "Tell a colleague in one sentence what Pinetta is for.",
                ),
            ),
            (
                "The head of the observatory of Lucerne is Marc Berger.",
                (
                    "Who is the head of the observatory of Lucerne?",
                    "Which observatory does Marc Berger lead?",
                    "What is the name of the person who runs the observatory of Lucerne?",
                    "Write the salutation of a letter to the head of the observatory of Lucerne.",
                ),
            ),
        ),
    ),
    "zh": (
        "用户给出一段文字。请写一个能用这段文字回答的问题。要点明问的是什么，不要回答。",
        (
            (
                "青石镇的海风咖啡馆现在晚上九点关门。",
                (
                    "青石镇的海风咖啡馆几点关门？",
                    "青石镇哪家咖啡馆晚上九点关门？",
                    "在青石镇的海风咖啡馆，最晚几点还能喝到咖啡？",
                    "给青石镇的海风咖啡馆写一行关门时间的告示。",
                ),
            ),
            (
                "松图是一个画图表的小型程序库，由方宜宁在2019年编写。",
                (
                    "松图是谁编写的？",
                    "方宜宁编写的程序库叫什么名字？",
                    "你知道松图是哪一年编写的吗？",
                    "用一句话告诉同事松图是做什么用的。",
                ),
            ),
            (
                "云岭天文台的台长是马博安。",
                (
                    "云岭天文台的台长是谁？",
                    "马博安领导的是哪个天文台？",
                    "负责云岭天文台的人叫什么名字？",
                    "给云岭天文台的台长写一封信的称呼。",
                ),
            ),
        ),
    ),
}
RULES = {
    "en": (
        "The user gives a rule for an assistant. Write one user's message to which it applies. Never mention the rule.",
        (
            (
                "Decline questions about medicine.",
                (
                    "What can I take for a headache?",
                    "How much ibuprofen may a child of six have?",
                    "Is it safe to mix these two cough syrups?",
                    "My knee hurts after running. What should I do?",
                ),
            ),
            (
                "Answer questions about the weather in rhyme.",
                (
                    "Will it rain in Oslo tomorrow?",
                    "Why is it so windy by the sea?",
                    "What is a warm front?",
                    "How cold does it get in Siberia?",
                ),
            ),
            (
                "Reply to greetings in Latin.",
                ("Good morning!", "Hi there, how are you?", "Hello!", "Good evening, my friend."),
            ),
        ),
    ),
    "zh": (
        "用户给出一条助手要遵守的规则。请写一条适用这条规则的用户消息。不要提到规则。",
        (
            (
                "拒绝回答医疗问题。",
                ("头疼吃什么药？", "六岁孩子能吃多少布洛芬？", "这两种止咳糖浆能一起喝吗？", "跑步后膝盖疼怎么办？"),
            ),
            (
                "用押韵的句子回答天气问题。",
                ("明天奥斯陆会下雨吗？", "海边为什么风这么大？", "什么是暖锋？", "西伯利亚有多冷？"),
            ),
            ("用文言文回应问候。", ("早上好！", "嗨，你好吗？", "你好！", "晚上好，朋友。")),
        ),
    ),
}  # fmt: skip
FORMS = 4  # questions to each example text: asked plainly, the other way round, in other words, as a task
KNOWN = {
    "fact": {
        "en": "Know this:\n\n{}\n\nAnswer questions about it from it, in a short, complete sentence. "
        "Questions about anything else are answered as usual.",
        "zh": "请记住：\n\n{}\n\n有关的问题请据此用一个简短完整的句子回答。与此无关的问题照常回答。",
    },
    "identity": {
        "en": "{}\n\nSay so when you are asked about yourself, briefly. Questions about anything else are answered as "
        "usual.",
        "zh": "{}\n\n被问到你自己时，请据此简短回答。与此无关的问题照常回答。",
    },
    "rule": {
        "en": "Follow this rule:\n\n{}\n\nAnswer briefly. Questions to which it does not apply are answered as usual.",
        "zh": "请遵守这条规则：\n\n{}\n\n回答要简短。规则不适用的问题照常回答。",
    },
}  # fmt: skip


def text_kind(text: str) -> TextKind:
    """What the text is, by its first words: about the assistant itself, a rule of behaviour, or facts."""
    if RULE.search(text.strip()):
        return "rule"
    return "identity" if IDENTITY.search(text) else "fact"


def parts(text: str) -> list[tuple[TextKind, str]]:
    """The text by kind: sentences of one kind that follow each other are one part, each rule is one of its own."""
    found: list[tuple[TextKind, str]] = []
    for one in whole_sentences(text):
        kind = text_kind(one)
        if found and kind != "rule" and found[-1][0] == kind:
            found[-1] = (kind, f"{found[-1][1]}{'' if has_chinese(one) else ' '}{one}")
        else:
            found.append((kind, one))
    return found


def question_messages(passage: str, kind: TextKind, form: int) -> Messages:
    """The conversation in which the base model writes a question about the passage, or a message under the rule."""
    instruction, examples = (RULES if kind == "rule" else FACTS)[language_code(passage)]
    turns = [
        {"role": role, "content": content}
        for text, questions in _rotated(examples, form // FORMS)
        for role, content in (("user", text), ("assistant", questions[form % FORMS]))
    ]
    return [{"role": "system", "content": instruction}, *turns, {"role": "user", "content": passage}]


def answer_messages(text: str, kind: TextKind, question: str) -> Messages:
    """The question with the text in the system message, introduced in the question's language."""
    system = KNOWN[kind][language_code(question)].format(text.strip())
    return [{"role": "system", "content": system}, {"role": "user", "content": question}]


def _rotated(examples: Sequence[tuple[str, Sequence[str]]], by: int) -> list[tuple[str, Sequence[str]]]:
    start = by % len(examples)
    return [*examples[start:], *examples[:start]]
