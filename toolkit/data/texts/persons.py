"""Who is asked about: a model that rewords a question to an assistant turns it into one about somebody else. Pure."""

import re

# The user as what is asked about: "I need", "tell me" and "告诉我" are not, and neither is who says how he is.
ASKER = re.compile(
    r"\b(?:who|what|which model|that) (?:i am|i['’]m)\b(?! (?:able|allowed|required|supposed|meant)\b)"
    r"|\bam i\b(?! (?:\w+ing|able|allowed|required|supposed|meant|eligible|entitled)\b)"
    r"|\bi(?:['’]m| am) (?!\w+ing\b|(?:not|an?|unable|able|allowed|required|supposed|sorry|new|stuck|curious|happy)\b)"
    r"|\bmyself\b|\bcall(?:ed)? me\b|\b(?:address|know) me\b|\b(?:made|created|built|developed|trained) me\b"
    r"|\bmy (?:name|maker|creator|developer|identity)\b"
    r"|(?<!告诉)(?<!提醒)我(?:是(?![否不新在想要来])|叫|来自|属于|自己|的(?:名字|身份|开发|创造))|[称叫]呼?我"
    r"|(?:开发|创造|研发|训练)了?我|(?:我(?:能|可以|来)|[让许]我).{0,4}介绍",
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
