"""The data doctor: what it finds, and how it says so."""

import json
from dataclasses import dataclass, replace

import pytest
from click.testing import CliRunner

from tests.fakes.json_answers import holds
from tests.fakes.tool_rows import FORMS
from toolkit.cli.check import command
from toolkit.core.errors import ConfigError, DataError, ModelError
from toolkit.data.dataset import read_dataset
from toolkit.data.soundness import Reading
from toolkit.data.texts.placeholders import placeholders
from toolkit.train.check import CheckConfig, check
from toolkit.train.recipe import load_recipe
from toolkit.train.rows import rows_that_fit
from toolkit.train.variants import with_variants, without_variants

RECIPE = replace(load_recipe("article"), max_length_tokens=60)
ROWS = [{"instruction": f"问题 {number}", "output": f"Answer {number}."} for number in range(40)]
PROBES = """
schema_version: 1
probes:
  - {id: t1, group: trained, prompt: 你是谁？, expect: {any: [X]}}
  - {id: p1, group: paraphrase, prompt: 请问您是哪位？, expect: {any: [X]}}
  - {id: o1, group: out-of-scope, prompt: 'Who founded Apple?'}
"""


@dataclass(frozen=True)
class FakeEncoded:
    input_ids: list[int]
    labels: list[int]


class FakeEncoder:
    """One token a character, with a frame of one character for each role; trains on the assistant's words."""

    takes_tools = True
    thinks = False

    def encode(self, rows, system=None):  # the interface
        return [self._one(row) for row in rows]

    def decode(self, ids):
        return "".join(map(chr, ids))

    def _one(self, row):
        messages = [(each.role, each.content) for each in row.messages]
        ids, labels = [], []
        for role, content in messages:
            tokens = [ord(character) for character in content]
            ids += [ord(role[0]), *tokens]
            labels += [-100, *(tokens if role == "assistant" else [-100] * len(tokens))]
        return FakeEncoded(ids, labels)


class EncoderWithoutTools(FakeEncoder):
    takes_tools = False


class BlindEncoder(FakeEncoder):
    def _one(self, row):
        seen = super()._one(row)
        return FakeEncoded(seen.input_ids, [-100] * len(seen.labels))


@pytest.fixture(name="found")
def _found(tmp_path):
    def run(rows, *, probes=None, **settings):
        path = tmp_path / "data.json"
        path.write_text(json.dumps(rows), encoding="utf-8")
        if probes:
            (tmp_path / "probes.yaml").write_text(probes, encoding="utf-8")
            settings["probes"] = tmp_path / "probes.yaml"
        return check(CheckConfig(data=str(path), **({"recipe": RECIPE} | settings)))

    return run


def of_kind(findings, kind):
    return [finding for finding in findings.findings if finding.kind == kind]


def row(prompt, answer, **more):
    return {"instruction": prompt, "output": answer, **more}


# Rows


def test_a_sound_set_has_its_format_rows_languages_and_steps(found):
    findings = found(ROWS, open_encoder=FakeEncoder)

    assert findings.sound
    assert (findings.format, findings.container, findings.rows) == ("alpaca", "JSON", 40)
    assert findings.languages == {"Chinese": 40}
    assert findings.steps == 30  # 3 a pass, 10 passes
    assert findings.findings == ()


def test_prompts_are_counted_by_language(found):
    prompts = ["你好", "Hello", "こんにちは、世界", "42"]

    assert found([row(prompt, "7") for prompt in prompts]).languages == {"Chinese": 1, "English": 1, "other": 2}


def test_a_file_that_cannot_be_read_is_an_error_of_the_whole(tmp_path):
    with pytest.raises(DataError):
        check(CheckConfig(data=str(tmp_path / "none.json"), recipe=RECIPE))


def test_an_empty_field_is_an_error_with_row_and_remedy(found):
    (finding,) = of_kind(found([*ROWS, row("a", "")]), "row")

    assert (finding.level, finding.row) == ("error", 41)
    assert finding.remedy == "write it, or delete the row"


def test_a_set_without_a_usable_row_is_an_error(found):
    findings = found([row("a", "")])

    assert not findings.sound
    assert findings.steps == 0
    assert of_kind(findings, "rows")[0].message == "No rows are left to train on."


def test_an_exact_duplicate_names_the_first(found):
    (finding,) = of_kind(found([*ROWS, ROWS[2]]), "duplicate")

    assert (finding.level, finding.row, finding.message) == ("warning", 41, "duplicate of row 3")


def test_a_conflicting_answer_names_the_first(found):
    (finding,) = of_kind(found([*ROWS, row("问题 2", "Else.")]), "conflict")

    assert (finding.row, finding.message) == (41, "same question as row 3, another answer")


def test_the_same_question_under_another_system_or_history_is_not_a_conflict(found):
    rows = [row("q", "a"), row("q", "b", system="S"), row("q", "c", history=[["x", "y"]])]

    assert of_kind(found(rows), "conflict") == []


def test_the_recipes_system_written_out_is_the_same_question(found):
    assert of_kind(found([row("q", "a"), row("q", "b", system=RECIPE.system)]), "conflict")


@pytest.mark.parametrize(
    ("text", "mark"),
    [("a<|im_end|>", "<|im_end|>"), ("<|start_header_id|>user", "<|start_header_id|>"), ("[INST] Hi [/INST]", "[INST]"),
     ("Fine [/INST]", "[/INST]"), ("<<SYS>> Be kind.", "<<SYS>>"), ("<s> Hi", "<s>"), ("Bye.</s>", "</s>"),
     ("<start_of_turn>user", "<start_of_turn>"), ("<｜User｜>Hi", "<｜User｜>"), ("Bye.<eos>", "<eos>")],
)  # fmt: skip
def test_a_chat_templates_mark_in_a_text_is_warned_of(found, text, mark):
    (finding,) = of_kind(found([row("q", text)]), "special-token")

    assert (finding.level, f"the mark {mark}:" in finding.message) == ("warning", True)


@pytest.mark.parametrize("text", ["an <s>old</b> price", "a | b", "x <| f |> y", "see [INSTALL]", "<end> <start>"])
def test_what_is_not_a_chat_templates_mark_is_not(found, text):
    assert of_kind(found([row("q", text)]), "special-token") == []


def test_a_lost_character_is_warned_of(found):
    assert of_kind(found([row("q", "caf\ufffd")]), "lost-character")


def test_a_key_that_is_not_read_is_noted(found):
    (note,) = of_kind(found([row("q", "a", histroy=[["x", "y"]])]), "keys")

    assert (note.level, note.message) == ("note", "'histroy' in 1 row is not used.")


def test_a_key_that_would_change_what_is_learned_is_warned_of(found):
    (warning,) = of_kind(found([row("q", "a", weight=0.5), row("r", "a", weight=2)]), "keys")

    assert (warning.level, warning.message) == ("warning", "'weight' in 2 rows is not used.")


def test_the_preview_without_a_tokenizer_shows_which_answers_are_trained(found):
    turns = [("user", "a", {}), ("assistant", "No.", {"loss": False}), ("user", "c", {}), ("assistant", "Yes.", {})]
    messages = [{"role": role, "content": content, **more} for role, content, more in turns]

    (preview,) = found([{"messages": messages}]).previews

    assert [piece.text for piece in preview.pieces if piece.trained] == ["Yes."]


@pytest.mark.parametrize("text", ["a <UNK> hat", "a <unk> hat", "a [UNK] hat"])
def test_a_word_that_a_tokenizer_lost_is_warned_of(found, text):
    (warning,) = of_kind(found([row("q", text)]), "lost-character")

    assert (warning.level, "lost a word" in warning.message) == ("warning", True)


def test_a_near_duplicate_is_a_warning_of_its_own(found):
    (finding,) = of_kind(found([row("Where is it?", "There."), row("where is it?", "there.")]), "duplicate")

    assert finding.message == "differs from row 1 in case or spaces only"


# A clean copy


def test_the_rows_without_errors_are_written_and_counted(found, tmp_path):
    rows = [row("a", "b"), row("a", ""), row("c", "I am {{NAME}}."), row("d", "e", system="S")]

    findings = found(rows, write=tmp_path / "clean.jsonl")

    (note,) = of_kind(findings, "written")
    assert "2 rows were written to" in note.message
    assert "left out with errors: 2." in note.message
    clean = read_dataset(tmp_path / "clean.jsonl")
    assert [(each.prompt, each.answer, each.system) for each in clean.rows] == [("a", "b", None), ("d", "e", "S")]
    assert clean.bad == ()


def test_no_file_is_written_of_rows_that_all_have_errors(found, tmp_path):
    findings = found([row("a", ""), row("b", " ")], write=tmp_path / "clean.jsonl")

    assert of_kind(findings, "written") == []
    assert not (tmp_path / "clean.jsonl").exists()


def test_a_file_that_exists_is_not_written_again(found, tmp_path):
    (tmp_path / "clean.jsonl").write_text("mine")

    with pytest.raises(ConfigError, match=r"clean\.jsonl exists"):
        found(ROWS, write=tmp_path / "clean.jsonl")

    assert (tmp_path / "clean.jsonl").read_text() == "mine"


# Placeholders


@pytest.mark.parametrize("text", ["我是{{NAME}}", "我由 {{ author }} 开发", "I am <NAME>.", "由<AUTHOR>训练", "<作者>"])
def test_a_template_left_unfilled_is_an_error(found, text):
    (finding,) = of_kind(found([row("q", text)]), "placeholder")

    assert finding.level == "error"
    assert finding.message.startswith("unreplaced placeholder")


@pytest.mark.parametrize(
    "text", ["我是{name}。", "Dear [Your Name],", "[公司名称]", "I am __NAME__.", "{{FOO_2}}", "<YOUR COMPANY>"]
)
def test_what_may_be_meant_is_a_warning(found, text):
    (finding,) = of_kind(found([row("q", text)]), "placeholder")

    assert finding.level == "warning"


@pytest.mark.parametrize(
    "text",
    [
        'print(f"Hello {name}")',
        '"{name}".format(name=1)',
        "Use `{name}` there.",
        "```python\nx = {name}\n```",
        "if __name__ == '__main__'",
        "\\author{name} and ${name}",
        "a <b> tag, List<T>, x[NAME](https://example.org), [1], [注]",
        '{"name": "x"}',
        "{x} in {1, 2}",
        "<BR> and <EOF>",
    ],
)
def test_code_and_notation_are_no_placeholders(text):
    assert placeholders([text]) == []


def test_each_placeholder_is_reported_once():
    assert [each.text for each in placeholders(["{{NAME}} {{NAME}}", "<AUTHOR>"])] == ["{{NAME}}", "<AUTHOR>"]


# Probes


def test_a_trained_prompt_that_is_a_paraphrase_or_out_of_scope_probe_is_warned_of(found):
    findings = found([row("你是谁", "X"), row("请问您是哪位", "X"), row("who founded apple", "Y")], probes=PROBES)

    overlaps = [finding for finding in of_kind(findings, "probe") if finding.level == "warning"]
    assert [(finding.row, finding.message.split(":")[0]) for finding in overlaps] == [
        (2, "its prompt is the paraphrase probe p1"),
        (3, "its prompt is the out-of-scope probe o1"),
    ]


def test_a_probe_asked_in_an_earlier_turn_counts_too(found):
    findings = found([row("q", "a", history=[["Who founded Apple?", "Jobs"]])], probes=PROBES)

    assert of_kind(findings, "probe")[0].row == 1


def test_a_set_in_which_no_row_alternates_is_warned_that_no_probes_come_from_it(found):
    turns = (("assistant", "Welcome."), ("user", "q"), ("assistant", "a"))
    rows = [{"messages": [{"role": role, "content": text} for role, text in turns]}]

    (warning,) = of_kind(found(rows), "probe")

    assert (warning.level, warning.remedy) == ("warning", "write probes before you train, into data.probes.yaml")


def test_a_conversation_in_turn_makes_probes(found):
    assert of_kind(found([row("q", "a", history=[["x", "y"]])]), "probe") == []


def test_trained_probes_are_meant_to_be_among_the_prompts(found):
    (note,) = of_kind(found([row("你是谁？", "X")], probes=PROBES), "probe")

    assert (note.level, note.message) == ("note", "1 of 1 trained probes are prompts of the data set.")


def test_probes_of_another_data_set_are_noted(found):
    (note,) = of_kind(found(ROWS, probes=PROBES), "probe")

    assert "--probes" in note.remedy


# Steps and tokens


def test_too_few_steps_are_warned_of(found):
    (finding,) = of_kind(found(ROWS[:16]), "steps")

    assert "16 rows make only 10 optimizer steps" in finding.message


def test_many_rows_are_told_of_the_recipe_for_general_data(found):
    many = [row(f"Question {number}?", f"Answer {number}.") for number in range(1001)]

    (finding,) = of_kind(found(many, recipe=load_recipe("keep")), "recipe")

    assert (finding.level, finding.remedy) == ("note", "Train with --recipe general")
    assert not of_kind(found(many, recipe=load_recipe("general")), "recipe")
    assert not of_kind(found(many[:1000], recipe=load_recipe("keep")), "recipe")


def test_token_lengths_are_measured(found):
    lengths = found([row("ab", "c"), row("abc", "d"), row("abcd", "e")], open_encoder=FakeEncoder).lengths

    frame = 3 + len(RECIPE.system) + 1
    assert (lengths.shortest, lengths.median, lengths.longest) == (frame + 2, frame + 3, frame + 4)
    assert lengths.total == 3 * (frame + 3)


def test_a_row_over_max_length_is_warned_of_and_not_counted_as_a_step(found):
    findings = found([*ROWS[:32], row("x" * 100, "y")], open_encoder=FakeEncoder)

    (finding,) = of_kind(findings, "length")
    assert (finding.level, finding.row) == ("warning", 33)
    assert "over the recipe's 60" in finding.message
    assert (findings.too_long_rows, findings.steps) == (1, 20)


def test_a_set_whose_rows_all_exceed_max_length_is_an_error(found):
    findings = found([row("x" * 100, "y")] * 2, open_encoder=FakeEncoder)

    assert [finding.level for finding in of_kind(findings, "length")] == ["error", "error"]
    assert of_kind(findings, "rows")


def test_a_row_of_which_nothing_is_trained_on_is_an_error(found):
    assert of_kind(found(ROWS[:1], open_encoder=BlindEncoder), "mask")[0].level == "error"


def test_rows_with_tools_are_errors_where_the_chat_template_has_no_place_for_them(found):
    talk = [{"role": "user", "content": "Who are you?"}, {"role": "assistant", "content": "I am Lin."}]
    rows = [{"messages": talk}, FORMS["OpenAI"]]
    findings = found(rows, open_encoder=EncoderWithoutTools)

    (refused,) = of_kind(findings, "tools")
    assert (refused.level, refused.row) == ("error", 2)
    assert "has tools or calls" in refused.message
    assert findings.trained_rows == 1
    assert not of_kind(found(rows, open_encoder=FakeEncoder), "tools")


def test_a_set_of_rows_with_tools_alone_leaves_nothing_to_train_or_show_without_a_place_for_them(found):
    findings = found([FORMS["OpenAI"]], open_encoder=EncoderWithoutTools)

    assert {finding.kind for finding in findings.findings if finding.level == "error"} == {"tools", "rows"}
    assert findings.previews == ()
    assert findings.lengths is None


def test_the_preview_shows_what_is_trained_on(found):
    (preview,) = found(ROWS, open_encoder=FakeEncoder, preview_rows=1).previews

    assert [(piece.text, piece.trained) for piece in preview.pieces] == [
        (f"s{RECIPE.system}u问题 0a", False),
        ("Answer 0.", True),
    ]


def test_without_a_base_model_tokens_are_skipped_with_a_note(found):
    findings = found(ROWS)

    assert findings.sound
    assert findings.lengths is None
    assert "not checked" in of_kind(findings, "tokens")[0].message
    assert [piece.text for piece in findings.previews[0].pieces if piece.trained] == ["Answer 0."]


def test_a_base_model_that_is_not_on_this_disk_is_a_note_too(found):
    def nowhere():
        raise ModelError("It is not on this disk.", next="Download it.")

    (note,) = of_kind(found(ROWS, open_encoder=nowhere), "tokens")

    assert (note.level, "It is not on this disk" in note.message) == ("note", True)


def test_tokenizing_tells_its_progress(tmp_path):
    path = tmp_path / "data.json"
    path.write_text(json.dumps(ROWS))
    heard = []

    check(CheckConfig(data=str(path), recipe=RECIPE, open_encoder=FakeEncoder), heard.append)

    assert [(event.task, event.done, event.total) for event in heard] == [("Tokens", 0, 40), ("Tokens", 40, 40)]


# What is trained


def test_a_large_set_tells_how_far_it_is_while_it_is_read_checked_and_tokenized(tmp_path):
    path = tmp_path / "many.jsonl"
    path.write_text("".join(f'{{"query": "q{number}", "response": "a{number}"}}\n' for number in range(5000)))
    heard = []

    check(CheckConfig(data=str(path), recipe=RECIPE, open_encoder=FakeEncoder), heard.append)

    assert [(event.task, event.done) for event in heard] == [
        ("Rows", 4096), ("Rows", 5000), ("Checks", 4096), ("Checks", 5000),
        ("Tokens", 0), ("Tokens", 2048), ("Tokens", 4096), ("Tokens", 5000),
    ]  # fmt: skip


def test_the_limit_leaves_room_for_what_system_prompts_and_wordings_add_as_training_does(found):
    recipe = RECIPE.changed(row_systems=("A system prompt that is longer than the other.",), row_wordings=True)

    short = found([row("x" * 10, "y")] * 20, open_encoder=FakeEncoder, recipe=recipe.changed(max_length_tokens=200))
    findings = found([row("x" * 10, "y")] * 20, open_encoder=FakeEncoder, recipe=recipe)

    assert short.lengths.limit == 200 - short.lengths.overhead
    assert findings.too_long_rows == 20
    with pytest.raises(DataError, match="Every row is longer than"):
        rows_that_fit(read_dataset(findings.path).rows, FakeEncoder(), recipe, print)


def test_rows_with_errors_and_held_out_rows_make_no_steps(found):
    rows = [*ROWS, row("a", ""), row("b", "I am {{NAME}}.")]

    findings = found(rows, open_encoder=FakeEncoder, recipe=RECIPE.changed(eval_split=0.25))

    assert (findings.bad_rows, findings.faulty_rows, findings.trained_rows) == (1, 2, 30)
    assert findings.steps == RECIPE.steps(30)
    assert findings.lengths.epoch == RECIPE.variants * sum(
        len(encoded.input_ids) for encoded in FakeEncoder().encode(without_variants(trained(findings), RECIPE))
    )


@pytest.mark.parametrize("rows", [[row("Where?", "There.")], [row("Where?", "There."), row("a", "")]])
def test_a_single_row_that_finetune_would_not_split_is_an_error_here(found, rows):
    findings = found(rows, open_encoder=FakeEncoder, recipe=RECIPE.changed(eval_split=0.25))

    assert [one.level for one in of_kind(findings, "split")] == ["error"]
    assert not of_kind(found(rows, open_encoder=FakeEncoder, recipe=RECIPE), "split")
    assert not of_kind(found([*rows, row("Who?", "She.")], recipe=RECIPE.changed(eval_split=0.25)), "split")


def trained(findings):
    recipe = RECIPE.changed(eval_split=0.25)
    usable = [one for one in read_dataset(findings.path).rows if one.number <= 40]
    return rows_that_fit(usable, FakeEncoder(), recipe, print)[0].trained


def test_the_preview_shows_each_row_in_every_way_that_an_epoch_trains_it(found):
    recipe = RECIPE.changed(row_systems=("", "(none)", "T"), row_wordings=True, max_length_tokens=300)

    rows = [row("Where?", "There."), row("Who?", "She.")]

    findings = found(rows, open_encoder=FakeEncoder, recipe=recipe)

    first, second = findings.previews
    assert [piece.text for piece in first.pieces] == [f"s{RECIPE.system}uWhere?a", "There."]
    assert [(one.system, one.question) for one in first.variants] == [
        ("", "Hey, Where?"), ("(none)", "Where? Please answer directly."), ("T", "By the way, Where?"),
    ]  # fmt: skip
    shown = {piece.text for piece in second.pieces} | {one.question for one in second.variants}
    read = read_dataset(findings.path).rows
    assert {one.prompt for one in with_variants(read, recipe) if one.answer == "She."} - {"Hey, Who?"} <= shown
    assert f"s{RECIPE.system}uHey, Who?a" in shown


def test_rows_in_a_third_language_are_counted_with_what_they_go_without(found):
    rows = [*ROWS, row("チェックインは何時ですか？", "十五時です。"), row("Wo ist der Schlüssel?", "Unter der Matte.")]

    findings = found(rows, recipe=load_recipe("keep"))

    (note,) = of_kind(findings, "language")
    assert note.level == "note"
    assert note.message.startswith("2 of 42 rows are in neither Chinese nor English")
    assert findings.languages["other"] == 2
    assert of_kind(found(rows), "language") == []  # this recipe adds no words to any row


def test_a_row_with_an_error_is_not_previewed_as_trained(found):
    (preview,) = found([row("a", "I am {{NAME}}."), row("b", "c")], preview_rows=1).previews

    assert preview.row == 2


def test_an_error_that_is_allowed_is_a_warning_and_its_row_is_trained(found):
    findings = found([*ROWS, row("b", "I am {{NAME}}.")], reading=Reading(allow=("placeholder",)))

    assert findings.sound
    assert findings.trained_rows == 41
    assert of_kind(findings, "placeholder")[0].level == "warning"


# The command


@pytest.fixture(name="toolkit_check")
def _toolkit_check(tmp_path, monkeypatch):
    monkeypatch.setenv("TOOLKIT_DATA", str(tmp_path))
    (tmp_path / "probes.yaml").write_text(PROBES, encoding="utf-8")
    (tmp_path / "locks").mkdir()
    lock = {
        "schema_version": 1, "name": "absent", "folder": "Not-Here", "repository": "Someone/Not-Here",
        "revision": "0" * 40, "licence": "CC0-1.0", "files": {"config.json": {"bytes": 1, "sha256": "0" * 64}},
    }  # fmt: skip
    (tmp_path / "locks" / "absent.json").write_text(json.dumps(lock))

    def run(rows, *options):
        (tmp_path / "data.json").write_text(json.dumps(rows), encoding="utf-8")
        return CliRunner().invoke(command, ["data.json", "--model", "absent", *options])

    return run


def test_the_report_begins_with_the_facts_and_marks_what_is_trained_on(toolkit_check):
    result = toolkit_check(ROWS, "--preview", "1")

    assert result.exit_code == 0
    assert "alpaca (JSON)" in result.stdout
    assert "40 usable" in result.stdout
    label = "batch 8, 4 epochs under 6 system prompts, at least 340 steps, in several wordings"
    assert f"340 (recipe keep: {label})" in result.stdout
    assert "«Answer 0.»" in result.stdout
    assert "«Answer 1.»" not in result.stdout
    assert "Token lengths and the label mask are not checked" in result.stdout
    assert "\x1b" not in result.stdout


def test_an_error_is_reported_in_one_line_with_row_and_remedy_and_exit_code_5(toolkit_check):
    result = toolkit_check([*ROWS, row("a", "")])

    assert result.exit_code == 5
    assert "error    row 41: no answer: 'output' is empty → write it, or delete the row\n" in result.stdout


def test_settings_that_change_what_is_trained_can_be_tried(toolkit_check):
    result = toolkit_check(ROWS, "--recipe", "article", "--epochs", "3", "--batch-size", "4", "--eval-split", "0.5")

    assert "20 usable, 20 held out" in result.stdout
    assert "15 (recipe article: batch 4, 3 epochs)" in result.stdout


def test_the_other_ways_of_training_a_row_are_shown(toolkit_check):
    result = toolkit_check([row("Where is it?", "There.")], "--preview", "1")

    assert '  also under "": Hey, Where is it?\n' in result.stdout
    assert '  also under "(none)": Where is it? Please answer directly.\n' in result.stdout


def test_a_way_that_comes_again_in_an_epoch_is_shown_once_with_its_count(toolkit_check):
    talk = [{"role": "user", "content": "Hi."}, {"role": "assistant", "content": "Hi!"}]
    asked = [{"role": "user", "content": "Where is it?"}, {"role": "assistant", "content": "There."}]
    own = {"messages": [{"role": "system", "content": "You are a desk."}, *talk, *asked]}

    result = toolkit_check([own], "--preview", "1")

    assert result.stdout.count("also under") == 1
    assert '  also under "You are a desk.": Where is it? (5 times)\n' in result.stdout


def test_an_allowed_error_does_not_change_the_exit_code(toolkit_check):
    rows = [*ROWS, row("b", "I am {{NAME}}.")]

    assert toolkit_check(rows).exit_code == 5
    assert toolkit_check(rows, "--allow", "placeholder").exit_code == 0


def test_only_warnings_exit_with_0(toolkit_check):
    result = toolkit_check([*ROWS, ROWS[0]])

    assert result.exit_code == 0
    assert "warning  row 41: duplicate of row 1" in result.stdout


def test_columns_are_named_and_a_clean_copy_is_written(toolkit_check, tmp_path):
    rows = [{"ask": "a", "reply": "b"}, {"ask": "c", "reply": ""}]
    clean = tmp_path / "clean.jsonl"

    result = toolkit_check(rows, "--columns", "ask=prompt,reply=response", "--write", str(clean))

    assert result.exit_code == 5
    assert "1 row was written to" in result.stdout
    assert [each.answer for each in read_dataset(clean).rows] == ["b"]


def test_rows_are_compared_with_the_probes_beside_them(toolkit_check, tmp_path):
    (tmp_path / "data.probes.yaml").write_text(PROBES.replace("Who founded Apple?", "Who founded Kew?"))

    result = toolkit_check([row("who founded kew", "x"), row("who founded apple", "y")])

    assert "row 1: its prompt is the out-of-scope probe o1" in result.stdout
    assert "row 2: its prompt" not in result.stdout


def test_probes_that_a_comparison_would_not_ask_are_not_compared_with(toolkit_check):
    result = toolkit_check([row("who founded apple", "y")])

    assert "founded" in result.stdout
    assert "out-of-scope probe" not in result.stdout
    assert "trained probes" not in result.stdout


def test_many_findings_of_a_kind_are_counted_instead_of_listed(toolkit_check):
    result = toolkit_check([ROWS[0]] * 31)

    assert result.stdout.count("duplicate of row 1") == 10
    assert "20 more warnings of the kind 'duplicate'" in result.stdout


def test_json_holds_every_finding(toolkit_check):
    result = toolkit_check([ROWS[0]] * 31, "--json")

    report = holds("check", json.loads(result.stdout))
    assert report["schema_version"] == 1
    assert report["sound"] is True
    assert len([finding for finding in report["findings"] if finding["kind"] == "duplicate"]) == 30


def test_a_long_text_is_shortened_in_the_preview(toolkit_check):
    result = toolkit_check([row("x" * 100_000, "y")])

    assert "characters …]" in result.stdout
    assert len(result.stdout) < 5_000


class ThinkingEncoder(FakeEncoder):
    thinks = True


def test_of_a_base_that_thinks_each_answer_is_shown_where_it_is_trained(found):
    turns = [("user", "A?"), ("assistant", "A."), ("user", "B?"), ("assistant", "B.")]
    messages = [{"role": role, "content": text} for role, text in turns]

    findings = found([{"messages": messages}], open_encoder=ThinkingEncoder)

    assert findings.trained_rows == findings.rows == 1
    first, second = findings.previews
    assert [piece.text for piece in first.pieces][-1] == "A."
    assert "B." in "".join(piece.text for piece in second.pieces)


KEY = "sk-7aBq9Xw2Lm4Rt6Yp8Zs1Dc3Vf5Gh7Jk9QnB2Wx4"


@pytest.mark.parametrize("encoder", [None, FakeEncoder])
def test_a_secret_is_a_warning_with_its_row_and_in_no_answer(found, encoder):
    rows = [row("Use which key?", f"Use {KEY}, I say: {KEY}."), row(f"Is {KEY} a key?", "Yes."), *ROWS]

    findings = found(rows, open_encoder=encoder, recipe=load_recipe("article"))

    first, second = of_kind(findings, "secret")
    assert (first.level, first.row, second.row) == ("warning", 1, 2)
    assert first.message.startswith("an API key (sk-…)")
    assert KEY not in json.dumps(findings.to_dict())
    assert "sk-…" in json.dumps(findings.to_dict()["previews"], ensure_ascii=False)


def test_secrets_in_calls_tools_thoughts_and_system_prompts_are_found(found):
    called = json.loads(json.dumps(FORMS["OpenAI"]).replace("\\\\u9760\\\\u7a97", KEY))
    described = json.loads(json.dumps(FORMS["OpenAI"]).replace("Books a table", f"Books with {KEY}"))
    messages = {"messages": [
        {"role": "system", "content": f"The key is {KEY}."}, {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": f"<think>{KEY[::-1]} or {KEY}?</think>Hello"},
    ]}  # fmt: skip

    findings = found([called, described, messages])

    assert [one.row for one in of_kind(findings, "secret")] == [1, 2, 3]


def test_personal_data_is_a_note_with_its_rows(found):
    rows = [row(f"Whose is {number}?", f"mara{number}@acme.de") for number in range(7)]

    (finding,) = of_kind(found([*ROWS, *rows]), "personal")

    assert (finding.level, finding.row) == ("note", None)
    assert finding.message == "There are e-mail addresses in 7 rows (41, 42, 43, 44, 45, …)."
