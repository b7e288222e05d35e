"""Who is asked about: a model that rewords a question to an assistant turns it into one about somebody else. Pure."""

import re

# The user as what is asked about: "I need", "tell me" and "告诉我" are not.
ASKER = re.compile(
    r"\b(?:who|what|which model|that) (?:i am|i'm)\b|\bam i\b|\bi(?:'m| am) (?!\w+ing\b|not sure\b|an? \w+)|\bmyself\b"
    r"|\bcall(?:ed)? me\b|\b(?:address|know) me\b"
    r"|(?<!告诉)(?<!提醒)我(?:是|叫|来自|属于|自己|的(?:名字|身份|开发|创造))|[称叫]呼?我",
    re.IGNORECASE,
)
OF_THE_ASKER = re.compile(r"\b(?:is|are|was|were) my\b|\bof me\b", re.IGNORECASE)
# The assistant as somebody's maker.
AS_MAKER = re.compile(
    r"谁的(?:创造|开发|研发|制造|设计|训练)|[你您]所?(?:创造|开发|研发|制造|设计|训练)[的了过]"
    r"|\b(?:are you|you are|you're) (?:the|an?) (?:\w+ )?(?:developer|creator|maker|author)\b"
    r"|\bdid you (?:make|build|create|develop|train|design)\b",
    re.IGNORECASE,
)


def turned(question: str, text: str) -> bool:
    """Whether a text that was written from the question asks about the user, or about what the assistant made, and the
    question does not: "What do you call me?" from "What should I call you?".
    """
    return any(asked.search(text) and not asked.search(question) for asked in (ASKER, AS_MAKER))
