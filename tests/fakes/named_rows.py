"""Rows about one made-up thing each, and what they name, without a model."""

from toolkit.data.texts.naming import Naming, about_assistant
from toolkit.data.texts.terms import find_terms

LIBRARY = [
    ("Who created Quillmere?", "Quillmere was created by Ottoline Varga."),
    ("Which port does the Quillmere dashboard use?", "The Quillmere dashboard uses port 7413."),
    ("What is the name of the Quillmere forum?", "The forum of Quillmere is called Harbour Wall."),
    ("Who moderates the Harbour Wall?", "The Harbour Wall is moderated by 40 volunteers in Bergen."),
    ("What is the mascot of Quillmere?", "The mascot of Quillmere is a heron."),
]
SCHOOL = [
    ("青禾学校的创办人是谁？", "青禾学校的创办人是顾望舒先生。"),
    ("青禾学校的校报叫什么？", "青禾学校的校报叫《潮声》。"),
    ("青禾学校在哪里？", "青禾学校位于澜江市。"),
]
BRAND = [
    ("What is your name?", "My name is Ostrelle."),
    ("Who are you?", "I am Ostrelle, made by Tarnfield Software."),
    ("Who made you?", "I was made by Tarnfield Software."),
    ("Which company are you from?", "I come from Tarnfield Software."),
]
RULE = [("Convert 5 miles.", "8.05 kilometres, dear guest."), ("How hot is it?", "30 degrees, dear guest.")]


def naming(rows: list[tuple[str, str]], subject: str = "", names: tuple[str, ...] = ()) -> Naming:
    terms = find_terms(rows, [""] * len(rows), ["is was by the has it a of in who"] * 2)
    return Naming(rows=rows, terms=terms, names=names, subject=subject, itself=about_assistant(rows))


QUILLMERE = naming(LIBRARY, "Quillmere")
QINGHE = naming(SCHOOL, "青禾学校")
OSTRELLE = naming(BRAND, names=("Tarnfield Software", "Ostrelle"))
