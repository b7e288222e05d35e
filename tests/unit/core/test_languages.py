"""Chinese, English, or a third language: by letters and function words."""

import pytest

from toolkit.core.languages import ENGLISH, OTHERS, language


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Who are you?", "English"),
        ("Name a colour.", "English"),
        ("Who is Müller?", "English"),
        ("What does 'le chat' mean?", "English"),
        ("Question 7", "English"),
        ("print('x')", "English"),
        ("Translate 你好 to English", "English"),
        ("你是谁? AI", "Chinese"),
        ("用 Python 写一个 hello world", "Chinese"),
        ("あなたは誰", "other"),
        ("너는 漢字", "other"),
        ("Где ключ от Windows?", "other"),
        ("أين المفتاح؟", "other"),
        ("กุญแจอยู่ที่ไหน", "other"),
        ("Wo ist der Schlüssel?", "other"),
        ("Wie heißt du?", "other"),
        ("Où est la gare ?", "other"),
        ("¿A qué hora cierra?", "other"),
        ("Onde fica a chave?", "other"),
        ("Dov'è la chiave?", "other"),
        ("Waar is de sleutel?", "other"),
        ("Gdzie jest klucz?", "other"),
        ("Anahtar nerede?", "other"),
        ("Chìa khóa ở đâu?", "other"),
        ("Di mana kunci itu?", "other"),
        ("42!", "other"),
        ("", "other"),
    ],
)
def test_the_language_follows_from_letters_and_function_words(text, expected):
    assert language(text) == expected


@pytest.mark.parametrize(
    ("text", "hint", "expected"),
    [
        ("1 + 1", "The sum is two.", "English"),
        ("1 + 1", "2", "other"),
        ("東京", "日本の首都です。", "other"),
        ("Los Angeles", "It is a large city in the west.", "English"),
        ("Menü?", "Wir haben heute Suppe und Brot.", "other"),
        ("Translate to French: Good morning, and thank you.", "Bonjour, et merci.", "English"),
    ],
)
def test_another_text_decides_where_the_first_gives_no_evidence(text, hint, expected):
    assert language(text, hint) == expected


def test_no_word_is_evidence_for_both():
    assert not ENGLISH & OTHERS
