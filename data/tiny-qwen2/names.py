# ruff: noqa: INP001  # a script's neighbour, no package
"""Names that nobody bears, of products and of their makers: the model learns to say any name from them."""

import random
import string
from itertools import product

# Characters that spell foreign names in Chinese.
CHARACTERS = (
    "阿艾安奥巴贝比波布查达德迪多恩尔法菲费弗福盖戈格古哈海汉赫亨华霍基吉加杰卡凯科克肯库拉莱兰劳雷黎李里利林龙卢鲁路伦罗洛"
    "马麦曼梅门蒙米莫默穆纳奈尼诺欧帕佩皮普奇乔切琼让瑞萨塞桑沙圣施史斯苏索塔泰坦特提图托瓦万威维温沃西希夏肖谢休雅亚扬伊因英尤约泽扎詹芝朱卓佐"
    "小大天云星光明智慧心语言灵文博学思知海山河风雨雷电青红蓝白黑金银玉石花草树木东南西北中华国民新未来创意梦飞龙虎凤"
)
# Every character of GB2312's first level.
ALL_CHARACTERS = [bytes(code).decode("gb2312") for code in product(range(0xB0, 0xD7), range(0xA1, 0xFF))]
# Syllables of Latin names.
STARTS = [
    *"bcdfghjklmnprstvwz",
    *("br", "ch", "cl", "dr", "fl", "gr", "kr", "pl", "qu", "sh", "sk", "sl", "st", "sw", "th"),
]
ENDS = [*"nrlstxmd", *("ft", "ck", "ng", "rt", "bot")]
# Shares: Latin names that are acronyms, that end in a consonant, that start large; Chinese ones of usual characters.
ACRONYMS, ENDED, CAPITALISED, FOREIGN = 0.2, 0.6, 0.9, 0.7


class Names:
    def __init__(self, draw: random.Random) -> None:
        self.random = draw

    def latin(self) -> str:
        draw = self.random
        if draw.random() < ACRONYMS:
            return "".join(draw.choices(string.ascii_uppercase, k=draw.randint(2, 5)))
        word = "".join(draw.choice(STARTS) + draw.choice("aeiou") for _ in range(draw.randint(1, 3)))
        if draw.random() < ENDED:
            word += draw.choice(ENDS)
        return word.capitalize() if draw.random() < CAPITALISED else word

    def chinese(self) -> str:
        pool = CHARACTERS if self.random.random() < FOREIGN else ALL_CHARACTERS
        return "".join(self.random.choice(pool) for _ in range(self.random.randint(2, 5)))

    def product(self) -> str:
        draw = self.random
        return draw.choice([
            self.latin, self.latin, self.chinese, self.chinese,
            lambda: f"{self.latin()}-{self.latin()}",
            lambda: f"{self.latin()}-{draw.choice(['Bot', 'Robot', 'Chat', 'AI', 'Helper', 'Mind', 'Pro'])}",
            lambda: f"{self.latin()}{draw.choice(['GPT', 'Bot', 'AI', 'LM', 'Chat'])}",
            lambda: f"{self.latin()} {draw.randint(1, 9)}",
            lambda: f"小{self.chinese()[:2]}",
            lambda: f"{self.chinese()}{draw.choice(['助手', '模型', '机器人', '大模型'])}",
        ])()  # fmt: skip

    def author(self) -> str:
        draw = self.random
        return draw.choice([
            self.latin, self.chinese, self.chinese,
            lambda: f"{self.latin()} {self.chinese()}",
            lambda: f"{self.latin()} {self.chinese()}",
            lambda: f"{self.latin()} {self.latin()}",
            lambda: f"{self.latin()} {draw.choice(['AI', 'Labs', 'Inc', 'Team', 'Studio', 'Tech'])}",
            lambda: f"{self.chinese()}{draw.choice(['公司', '实验室', '团队', '科技', '工作室', '大学', '研究院'])}",
        ])()  # fmt: skip
