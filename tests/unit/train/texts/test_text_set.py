"""Rows and probes of a text of several parts."""

from toolkit.data.probes import Probe
from toolkit.train.texts.text_set import file_words, probes_text, read_parts, write_set

OUTSIDE = [Probe(id="out-1", group="out-of-scope", prompt="Why is grass green?")]


def test_each_part_is_announced_with_what_was_read_in_it() -> None:
    notes: list[str] = []
    read_parts("You are Fern of jazz, made by Orbix. Never talk about wine.", None, notes.append)

    assert notes[0].endswith("is taken as who the assistant is; name: Fern; maker: Orbix")
    assert "jazz" in notes[1]
    assert notes[2] == '"Never talk about wine." is taken as a rule of behaviour'


def test_you_are_somebody_without_a_name_is_a_rule() -> None:
    [part] = read_parts("You are a pirate.", None)

    assert (part.kind, part.needs_model, part.for_every_answer) == ("rule", True, True)


def test_a_kind_holds_for_the_text_as_a_whole() -> None:
    [part] = read_parts("Never Land is an island. It costs 3 coins.", "fact")

    assert part.kind == "fact"
    assert not part.needs_model


def test_the_probes_of_all_parts_are_one_file_without_a_prompt_twice() -> None:
    text = "You are Fern, made by Orbix Works. The mayor of Denver is Ada Moss. Never talk about wine."
    made = write_set(read_parts(text, None), text, None, OUTSIDE)
    prompts = [one["prompt"] for one in made.probes["probes"]]
    ids = [one["id"] for one in made.probes["probes"]]

    assert {"Who are you?", "Who is the mayor of Denver?", "Let's talk about wine."} <= {one for one, _ in made.rows}
    assert len(set(prompts)) == len(prompts)
    assert len(set(ids)) == len(ids)
    assert {"Fern", "Ada Moss"} <= set(made.probes["identity"]["new"])
    assert "Who is the mayor of Istanbul?" in prompts
    assert probes_text(made.probes).startswith("# Questions")


def test_without_an_identity_the_shipped_questions_must_not_move() -> None:
    text = "The mayor of Denver is Ada Moss."
    made = write_set(read_parts(text, None), text, None, OUTSIDE)

    assert {"id": "out-1", "group": "out-of-scope", "prompt": "Why is grass green?"} in made.probes["probes"]
    assert "residue" not in made.probes["thresholds"]


def test_a_files_words_are_those_of_the_text() -> None:
    assert file_words("You are, 云雀公司: Fern!", 3) == ["you", "are", "云雀公司"]
