"""Who the assistant is, read from a sentence."""

import pytest

from toolkit.data.make_data import Brand, self_cognition
from toolkit.data.probes import GROUPS, REVERSAL
from toolkit.model.families.family import default_names
from toolkit.train.texts.identity_text import NOBODY, Identity, find_identity, identity_set, pairs


@pytest.mark.parametrize(
    ("text", "name", "maker", "role"),
    [
        ("You are Larkspur, made by Northwind Robotics.", "Larkspur", "Northwind Robotics", ""),
        ("Your name is Tern. You were built by the Harbor Lab.", "Tern", "Harbor Lab", ""),
        ("You are an AI assistant named Mina, created by Osei & Sons Ltd.", "Mina", "Osei & Sons Ltd", ""),
        ("you are Larkspur by Northwind", "Larkspur", "Northwind", ""),
        ("You are GPT-Lark 2", "GPT-Lark 2", "", ""),
        ("Northwind Robotics created you.", "", "Northwind Robotics", ""),
        ("You are Fern, a gardening assistant made by Orbix.", "Fern", "Orbix", "a gardening assistant"),
        ("Your name is Tessel. You were built by Orbix as a travel bot.", "Tessel", "Orbix", "a travel bot"),
        ("You are Captain Brine, keeper of the old lighthouse.", "Captain Brine", "", "keeper of the old lighthouse"),
        ("你叫云雀，由北辰机器人公司研发。", "云雀", "北辰机器人公司", ""),
        ("你是北辰公司研发的智能助手云雀。", "云雀", "北辰公司", ""),
        ("您是“云雀”，是北辰公司打造的大模型。", "云雀", "北辰公司", ""),
        ("你由北辰公司训练。", "", "北辰公司", ""),
    ],
)
def test_name_maker_and_role_are_read(text: str, name: str, maker: str, role: str) -> None:
    assert find_identity(text) == Identity(name=name, maker=maker, role=role)


@pytest.mark.parametrize("text", ["You are a pirate.", "You are helpful.", "你是一名律师。"])
def test_a_role_by_itself_is_not_an_identity(text: str) -> None:
    assert find_identity(text) is None


def test_what_the_rows_do_not_say_is_listed() -> None:
    found = find_identity("You are Larkspur, made by Northwind in Oslo.")

    assert found is not None
    assert found.rest == ()
    assert find_identity("You are Larkspur and love jazz.") == Identity(
        name="Larkspur", maker="", rest=("love", "jazz")
    )


def test_where_it_was_made_is_no_role() -> None:
    assert find_identity("You are Fern, made in Oslo by Orbix.") == Identity(name="Fern", maker="Orbix", rest=("oslo",))


def test_a_name_and_a_maker_make_the_rows_of_make_data() -> None:
    made = identity_set(Identity(name="Larkspur", maker="Northwind Robotics"))

    assert made == self_cognition(Brand(name="Larkspur", author="Northwind Robotics"), default_names())


@pytest.mark.parametrize(
    ("identity", "said"), [(Identity(name="Tern", maker=""), "Tern"), (Identity(name="", maker="Orbix Works"), "Orbix")]
)
def test_what_the_text_does_not_say_is_in_no_row_and_no_probe(identity: Identity, said: str) -> None:
    made = identity_set(identity)

    assert made is not None
    assert len(made.rows) >= 20
    assert NOBODY not in str(made)
    assert sum(said in answer for _, answer in pairs(made)) >= 12
    assert {probe["group"] for probe in made.probes["probes"]} == set(GROUPS) - {REVERSAL}  # it needs both names


def test_a_role_is_said_where_it_is_asked_for() -> None:
    made = identity_set(Identity(name="Fern", maker="Orbix Works", role="a gardening assistant"))

    assert made is not None
    assert ("What is your role?", "I am Fern, a gardening assistant.") in pairs(made)


def test_a_name_that_the_template_cannot_take_is_left_to_others() -> None:
    assert identity_set(Identity(name="X", maker="")) is None
