"""What a question asks for, as a phrase that can stand in another question."""

import pytest

from toolkit.data.texts.phrases import described, unknown


@pytest.mark.parametrize(
    ("question", "phrase"),
    [
        ("Who is the mayor of Denver?", "the mayor of Denver"),
        ("What is the name of Denver's current mayor?", "Denver's current mayor"),
        ("What is the config file of Quillmere called?", "the config file of Quillmere"),
        ("Who created Quillmere?", "the person who created Quillmere"),
        ("Which organisation pays for Quillmere?", "the organisation that pays for Quillmere"),
        ("请问青禾学校的校树是什么树？", "青禾学校的校树"),
        ("青禾学校的创办人是谁？", "青禾学校的创办人"),
        ("青禾学校的校报叫什么？", "青禾学校的校报"),
        ("青禾学校的校车是什么颜色？", ""),  # it asks for the colour, and not for the bus
        ("Which port does the dashboard use?", ""),
        ("What is Quillmere?", ""),  # its name is known
        ("Who is your developer?", ""),
        ("你的名字叫什么？", ""),
        ("How many people work there?", ""),
    ],
)
def test_the_unknown_of_a_question_is_a_phrase(question, phrase):
    assert unknown(question) == phrase


@pytest.mark.parametrize(
    ("question", "name", "phrase", "found"),
    [
        ("Where is the Tidewright Foundation?", "Tidewright Foundation", "the payer", "Where is the payer?"),
        ("A heron eats what?", "heron", "the mascot", "The mascot eats what?"),
        ("Herons and heron food", "heron", "it", "Herons and it food"),
        ("听雨楼有几层？", "听雨楼", "学校的图书馆", "学校的图书馆有几层？"),
    ],
)
def test_a_name_is_replaced_with_its_article(question, name, phrase, found):
    assert described(question, name, phrase) == found
