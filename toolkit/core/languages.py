"""Tells Chinese and English texts from each other and from those in a third language. Pure.

By its letters, and in Latin ones by function words: short texts give little evidence, and without any count as English.
"""

import re
import unicodedata
from typing import Literal

Language = Literal["Chinese", "English", "other"]
LATIN_WORD = re.compile(r"[A-Za-z\u00c0-\u024f\u1e00-\u1eff]+(?:['’][A-Za-z]+)?")
HAN = re.compile("[\u4e00-\u9fff]")
KANA_OR_HANGUL = re.compile("[\u3041-\u3096\u30a1-\u30fa\u1100-\u11ff\uac00-\ud7af]")
INVERTED = re.compile("[\u00bf\u00a1]")  # before questions and exclamations in Spanish
# Function words, and some that begin requests; of two dozen European languages, Turkish, Vietnamese and Indonesian.
# Those that are common in English and others (a, in, is, on, me, was) say nothing.
ENGLISH = frozenset(re.findall(r"\S+", """
    the and or not of to at for with from by about into are am were be been has have had does did can could will would
    should may might must i you he she it we they him her us them my your his its our their this that these those
    what which who whom whose when where why how if then than there here please give tell name write make let get go
    say explain list describe yes hello hi thanks
"""))  # fmt: skip
OTHERS = frozenset(re.findall(r"\S+", """
    der das ist und nicht wo wie wer ich du er sie wir ein eine einen einem einer mit für auf von zu im dem den sind
    wird kann bitte hallo danke de het een en niet wat waar ik je met voor zijn naar och är det att jag som på av og
    ikke hvad hvor jeg til
    le la les des est et une dans que qui où tu il elle nous vous ce cette sont avec quel quelle bonjour merci el los
    las es una por para qué cómo dónde quién cuál del y su hola gracias um uma não é da são onde quem como obrigado lo
    gli di che dove chi della sono ciao grazie și este unde cine amb
    jest nie w na się jak gdzie kto z że kde kdo co jsou bir ve için nerede nasıl bu egy az és nem hol hogy ja ei mikä
    missä kuka là ở của không có gì và apa mana siapa yang adalah ini itu untuk tidak dengan
"""))  # fmt: skip
CLEAR = 2  # words that give evidence


def language(text: str, hint: str = "") -> Language:
    """The language of most of the text; `hint`: a text that decides where this one gives no evidence.

    Japanese and Korean, which also use Han characters, are known by their own; a text with any of these is "other".
    """
    if KANA_OR_HANGUL.search(text) or INVERTED.search(text):
        return "other"
    words, han = LATIN_WORD.findall(text), len(HAN.findall(text))
    if not text.isascii():  # else every letter is in one of the words
        others = sum(character.isalpha() for character in text) - han - sum(map(len, words))
        if others > max(han, sum(map(len, words))):
            return "other"
    if han >= max(1, len(words)):
        return "other" if KANA_OR_HANGUL.search(hint) else "Chinese"
    if not words:
        return language(hint) if hint else "other"
    return _latin(words, hint)


def _latin(words: list[str], hint: str) -> Language:
    english, foreign = _evidence(words)
    if english + foreign < CLEAR and hint:
        return language(f"{' '.join(words)} {hint}")
    if english == foreign == 0 and any(not word.isascii() for word in words):
        return "other"
    return "other" if foreign > english else "English"


def _evidence(words: list[str]) -> tuple[int, int]:
    """How many of the words are English ones, and how many of another language."""
    lower = [unicodedata.normalize("NFC", word).lower() for word in words]
    return sum(word in ENGLISH for word in lower), sum(word in OTHERS for word in lower)
