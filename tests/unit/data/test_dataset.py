"""Reading data sets: four formats, three containers, and a clear word on each fault."""

import codecs
import json
from decimal import Decimal
from pathlib import Path

import pytest

from toolkit.core.errors import DataError
from toolkit.data.dataset import Row, find_dataset, prompt_key, read_dataset
from toolkit.data.formats import Message

ROW = {"instruction": "你是谁？", "input": "", "output": "我是小明，一个助手。"}
CONVERSATION = (Message(role="user", content="a"), Message(role="assistant", content="b"))


@pytest.fixture(name="file")
def _file(tmp_path):
    def write(content, name="data.json"):
        path = tmp_path / name
        if isinstance(content, bytes):
            path.write_bytes(content)
        elif isinstance(content, str):
            path.write_text(content, encoding="utf-8", newline="")
        else:
            path.write_text(json.dumps(content, ensure_ascii=True), encoding="utf-8")
        return path

    return write


def refusal(path):
    with pytest.raises(DataError) as caught:
        read_dataset(path)
    assert caught.value.exit_code == 5
    assert caught.value.next
    return str(caught.value)


def fault(file, row):
    (bad,) = read_dataset(file([row])).bad
    assert bad.remedy
    return bad.why


# Formats


@pytest.mark.parametrize(
    ("row", "name"),
    [
        ({"instruction": "a", "input": "", "output": "b"}, "alpaca"),
        ({"instruction": "a", "output": "b", "history": [], "system": None}, "alpaca"),
        ({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}, "messages"),
        ({"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]}, "ShareGPT"),
        ({"conversations": [{"from": "user", "value": "a"}, {"from": "assistant", "value": "b"}]}, "ShareGPT"),
        ({"conversation": [{"human": "a", "assistant": "b"}]}, "ShareGPT"),
        ({"query": "a", "response": "b"}, "query/response"),
        ({"prompt": "a", "completion": "b"}, "query/response"),
        ({"question": "a", "answer": "b"}, "query/response"),
    ],
)
def test_each_format_becomes_the_same_conversation(file, row, name):
    dataset = read_dataset(file([row]))

    assert dataset.format == name
    assert dataset.rows == (Row(number=1, messages=CONVERSATION),)
    assert dataset.bad == ()


def test_a_row_knows_its_prompt_answer_and_system(file):
    row = {"instruction": "Translate", "input": "cat", "output": "猫", "system": "S", "history": [["q", "r"]]}

    (read,) = read_dataset(file([row])).rows

    assert [message.role for message in read.messages] == ["system", "user", "assistant", "user", "assistant"]
    assert (read.prompt, read.answer, read.system) == ("Translate\ncat", "猫", "S")


def test_jsonl_rows_are_numbered_by_line_and_blank_lines_are_skipped(file):
    line = json.dumps(ROW)

    dataset = read_dataset(file(f"{line}\r\n\n{line}\n", "data.jsonl"))

    assert (dataset.container, dataset.unit) == ("JSONL", "line")
    assert [row.number for row in dataset.rows] == [1, 3]


def test_jsonl_under_the_name_of_json_is_read(file):
    assert read_dataset(file(f"{json.dumps(ROW)}\n{json.dumps(ROW)}\n")).container == "JSONL"


def test_csv_is_read_with_commas_quotes_and_line_breaks_in_cells(file):
    dataset = read_dataset(file('instruction,output\r\n"a, ""b""\nc",d\r\n', "data.csv"))

    assert dataset.container == "CSV"
    assert (dataset.rows[0].prompt, dataset.rows[0].answer) == ('a, "b"\nc', "d")


def test_a_byte_order_mark_of_utf8_is_not_a_fault(file):
    assert len(read_dataset(file(codecs.BOM_UTF8 + json.dumps([ROW]).encode())).rows) == 1


def test_keys_that_the_format_does_not_read_are_counted(file):
    dataset = read_dataset(file([ROW | {"id": 7}, ROW | {"id": 8, "source": "web", "notes": None}]))

    assert dataset.unused == {"id": 2, "source": 1}
    assert dataset.remarks == ("'id' in 2 rows is not used.", "'source' in 1 row is not used.")


@pytest.mark.parametrize("name", ["data.json", "data.jsonl", "data.csv"])
def test_a_row_of_one_megabyte_is_read(file, name):
    long = "x" * 1_000_000
    content = f"query,response\n{long},y\n" if name.endswith("csv") else json.dumps({"query": long, "response": "y"})

    (row,) = read_dataset(file(f"[{content}]" if name.endswith("json") else content, name)).rows

    assert len(row.prompt) == 1_000_000


# Files that cannot be used


def test_a_missing_file_is_named(tmp_path):
    assert "no such file" in refusal(tmp_path / "none.json")


def test_a_folder_is_refused(tmp_path):
    assert "is a folder" in refusal(tmp_path)


def test_an_empty_file_is_refused(file):
    assert "is empty (0 bytes)" in refusal(file(b""))


def test_a_file_of_white_space_is_refused(file):
    assert "only white space" in refusal(file(" \n\t\n"))


@pytest.mark.parametrize(("content", "name"), [("[]", "data.json"), ("query,response\n", "data.csv")])
def test_a_file_without_rows_is_refused(file, content, name):
    assert "has no rows" in refusal(file(content, name))


@pytest.mark.parametrize("cut", range(1, 60))
def test_truncated_json_is_reported_with_its_line(file, cut):
    message = refusal(file(json.dumps([ROW, ROW], indent=1)[:-cut]))

    assert "ends too early (line 1" in message


def test_a_file_cut_inside_a_character_is_reported_as_truncated(file):
    assert "middle of a character" in refusal(file('[{"instruction": "你'.encode()[:-1]))


def test_broken_json_is_reported_with_line_and_column(file):
    assert "(line 2, column 18)" in refusal(file('[{"query": "a",\n "response": "b" "c"}]'))


@pytest.mark.parametrize("name", ["data.json", "data.jsonl", "data"])
def test_a_text_that_is_not_json_is_refused(file, name):
    assert "JSON" in refusal(file("Hello\nworld\n", name))


def test_json_nested_without_end_is_refused(file):
    assert "not usable JSON" in refusal(file("[" * 100_000))


@pytest.mark.parametrize("encoding", ["gbk", "gb18030"])
def test_a_chinese_encoding_is_recognised_with_the_command_that_converts_it(file, encoding):
    path = file(json.dumps([ROW], ensure_ascii=False).encode(encoding))

    message = refusal(path)

    assert "it looks like GBK" in message
    assert f"iconv -f GBK -t UTF-8 {path} > {path.with_name('data.utf8.json')}" in message


def test_what_excel_saves_in_western_europe_is_named_with_the_command_that_converts_it(file):
    path = file("question,answer\nWann öffnet das Café?,„Um zehn“ – für 2 €\n".encode("cp1252"), "data.csv")

    message = refusal(path)

    assert "it looks like WINDOWS-1252" in message
    assert f"iconv -f WINDOWS-1252 -t UTF-8 {path} > " in message


@pytest.mark.parametrize("encoding", ["cp1251", "mac-roman"])
def test_another_encoding_is_not_mistaken_for_one_that_is_known(file, encoding):
    text = {"cp1251": "Когда открыто?", "mac-roman": "When is the Café open?"}[encoding]

    assert "not UTF-8: byte 0x" in refusal(file(f'[{{"query": "{text}"}}]'.encode(encoding)))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_utf16_and_utf32_are_refused_by_name(file, encoding):
    message = refusal(file(json.dumps([ROW]).encode(encoding)))

    assert encoding.upper()[:6] in message or "UTF-16" in message
    assert "iconv -f UTF" in message


def test_a_nul_byte_is_reported_with_its_place(file):
    assert "NUL byte (line 2, byte 5)" in refusal(file(b'[\n{"qu\0ery": "a"}]'))


def test_an_excel_workbook_is_recognised(file):
    assert "Excel workbook" in refusal(file(b"PK\x03\x04\x14\x00", "data.csv"))


def test_rows_within_a_key_of_each_row_are_refused_with_that_key(file):
    message = refusal(file([{"id": 1, "qa": {"Question": "Who?", "Answer": "Ada."}}]))

    assert "row 1: question and answer are within 'qa'" in message
    assert "Write what 'qa' has as keys of the row itself." in message


def test_a_json_object_that_is_not_a_row_is_refused_with_its_keys(file):
    assert "no known keys (found: version, authors)" in refusal(file({"version": 1, "authors": ["a", "b"]}))


def test_a_list_of_strings_is_refused(file):
    assert "row 1 is a string" in refusal(file(["a", "b"]))


def test_a_list_of_conversations_and_texts_reads_what_it_can(file):
    turns = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]

    assert read_dataset(file(["text", turns])).rows == (Row(number=2, messages=CONVERSATION),)


@pytest.mark.parametrize("lines", ['"a"\n"b"\n', "7\n8\n", "null\n"])
def test_lines_of_plain_values_are_refused(file, lines):
    assert "not" in refusal(file(lines, "data.jsonl"))


def test_unknown_keys_are_named_with_the_accepted_ones(file):
    message = refusal(file([{"text": "a", "label": 1}]))

    assert "found: text, label" in message
    assert "instruction, input, output" in message


def test_mixed_formats_are_reported_with_both_rows(file):
    message = refusal(file([{"query": "a", "response": "b"}, ROW]))

    assert "row 1 is query/response, row 2 is alpaca" in message


def test_csv_with_an_open_quote_is_reported(file):
    assert "not valid CSV" in refusal(file('query,response\n"a,b\n', "data.csv"))


def test_csv_that_names_a_column_twice_is_refused(file):
    assert "names 'query' twice" in refusal(file("query,query\na,b\n", "data.csv"))


# Numbers, and true and false, are answers too


@pytest.mark.parametrize(
    ("written", "text"),
    [("42", "42"), ("3.50", "3.50"), ("-1e5", "-1e5"), ("0", "0"), ("true", "true"), ("false", "false")],
)
@pytest.mark.parametrize("name", ["data.json", "data.jsonl"])
def test_a_number_is_learned_as_it_is_written(file, name, written, text):
    row = f'{{"question": "How much is it?", "answer": {written}}}'

    (read,) = read_dataset(file(row if name.endswith("l") else f"[{row}]", name)).rows

    assert [message.content for message in read.messages] == ["How much is it?", text]


def test_numbers_stand_anywhere_in_a_row_but_in_its_system_prompt(file):
    rows = read_dataset(file([
        {"instruction": 7, "input": 1, "output": 2.5},
        {"instruction": "a", "output": "b", "history": [["q", 5]]},
        {"instruction": "a", "answers": [42]},
    ])).rows  # fmt: skip
    turns = {"messages": [{"role": "user", "content": 6}, {"role": "assistant", "content": 7.0}], "answer": 7.0}

    assert [[one.content for one in row.messages] for row in rows] == [
        ["7\n1", "2.5"], ["q", "5", "a", "b"], ["a", "42"]
    ]  # fmt: skip
    (told,) = read_dataset(file([turns])).rows
    assert [one.content for one in told.messages] == ["6", "7.0"]


def test_a_number_of_parquet_is_learned_as_its_text(tmp_path):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    columns = {"question": ["a", "b"], "answer": pa.array([Decimal("3.50"), None])}
    parquet.write_table(pa.table(columns), tmp_path / "data.parquet")

    read = read_dataset(tmp_path / "data.parquet")

    assert [row.messages[-1].content for row in read.rows] == ["3.50"]
    assert [bad.why for bad in read.bad] == ["no answer: 'answer' is empty"]


@pytest.mark.parametrize("written", ["NaN", "Infinity"])
def test_what_is_not_a_number_is_no_answer(file, written):
    assert read_dataset(file(f'[{{"question": "a", "answer": {written}}}]')).rows == ()


# Rows that cannot be trained on


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({"instruction": "a"}, "no answer: 'output' is missing"),
        ({"instruction": "a", "output": " "}, "no answer: 'output' is empty"),
        ({"instruction": "a", "output": None}, "no answer: 'output' is empty"),
        ({"query": "a"}, "no answer: 'response' is missing (keys found: query)"),
        ({"response": "b"}, "no question"),
        ({"instruction": "", "input": " ", "output": "b"}, "'instruction' is empty"),
        ({"instruction": "a", "output": {"five": 5}}, "'output' is an object, not a string"),
        ({"instruction": "a", "output": [5]}, "'output' is a list, not a string"),
        ({"instruction": ["a"], "output": "b"}, "'instruction' is a list, not a string"),
        ({"instruction": "a", "output": "b", "history": [["q"]]}, "not a pair of strings"),
        ({"instruction": "a\u0001", "output": "b"}, "control character U+0001 in the user's text (position 2)"),
        ({"instruction": "a\u0000", "output": "b"}, "control character U+0000"),
        ({"instruction": "a", "output": "\ud83d"}, "lone surrogate U+D83D"),
        ({"messages": []}, "no turns"),
        ({"messages": "hello"}, "not a JSON list"),
        ({"messages": ["hello"]}, "item 1 is a string, not an object"),
        ({"messages": [{"role": "user"}]}, "neither role and content"),
        ({"messages": [{"role": "tool", "content": "a"}]}, "the last turn is the tool's"),
        ({"messages": [{"role": "narrator", "content": "a"}]}, "unknown role 'narrator'"),
        ({"messages": [{"role": "user", "content": None}]}, "is null, not a string"),
        ({"messages": [{"role": "user", "content": "a"}]}, "the last turn is the user's"),
        ({"messages": [{"role": "user", "content": "a"}] * 2}, "the last turn is the user's"),
        ({"messages": [{"role": "user", "content": ""}, {"role": "assistant", "content": "b"}]}, "turn 1"),
        ({"messages": [{"role": "system", "content": "s"}] * 2}, "no turns"),
        ({"messages": [{"role": "assistant", "content": "a"}, {"role": "system", "content": "s"}]}, "the system's"),
        ({"messages": [{"role": "system", "content": "s"}], "system": "t"}, "two system prompts"),
    ],
)
def test_a_faulty_row_is_kept_apart_with_its_reason(file, row, why):
    assert why in fault(file, row)


def turns(*pairs):
    return {"messages": [{"role": role, "content": content} for role, content in pairs]}


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (turns(("user", "a"), ("user", "b"), ("assistant", "c")), "two turns of the user in a row"),
        (turns(("user", "a"), ("assistant", "b"), ("assistant", "c")), "two turns of the assistant in a row"),
        (
            turns(("system", "s"), ("assistant", "a"), ("user", "b"), ("assistant", "c")),
            "an answer before any question",
        ),
        (turns(("assistant", "a")), "an answer before any question"),
        (turns(("user", "a"), ("system", "s"), ("user", "b"), ("assistant", "c")), "a system message between turns"),
        (turns(("system", "s"), ("system", "t"), ("user", "b"), ("assistant", "c")), "a system message between turns"),
    ],
)
def test_any_order_of_turns_that_ends_with_an_answer_is_read_and_said_once(file, row, said):
    dataset = read_dataset(file([row, row, turns(("user", "x"), ("assistant", "y"))]))

    assert [one.to_dict() for one in dataset.rows[0].messages] == row["messages"]
    assert dataset.bad == ()
    assert dataset.notes == (f"2 rows have {said}: trained as the chat template renders them.",)
    assert [one.of_one_turn for one in dataset.rows] == [False, False, True]


def test_the_prompt_of_a_row_is_its_last_question(file):
    rows = [turns(("user", "a"), ("assistant", "b"), ("assistant", "c")), turns(("assistant", "a"))]

    assert [one.prompt for one in read_dataset(file(rows)).rows] == ["a", ""]


def test_a_broken_line_of_jsonl_is_a_fault_of_that_line_only(file):
    dataset = read_dataset(file(f'{json.dumps(ROW)}\n{{"instruction": "a", "outp\n', "data.jsonl"))

    assert len(dataset.rows) == 1
    assert (dataset.bad[0].number, dataset.bad[0].why) == (2, "not valid JSON: unterminated string (column 22)")


def test_a_csv_record_with_too_few_cells_is_a_fault_of_that_record(file):
    assert "1 cells where the header has 2" in read_dataset(file("query,response\na,b\nc\n", "data.csv")).bad[0].why


def test_a_row_that_is_not_an_object_or_has_no_known_key_is_a_fault(file):
    assert [bad.number for bad in read_dataset(file([ROW, "text", {"foo": 1}])).bad] == [2, 3]


# Finding, mixing, sampling


def test_a_data_set_is_looked_for_here_and_then_in_the_data_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("TOOLKIT_DATA", str(tmp_path / "shipped"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shipped").mkdir()
    (tmp_path / "shipped" / "a.json").write_text("[]")

    assert find_dataset("a.json") == tmp_path / "shipped" / "a.json"
    (tmp_path / "a.json").write_text("[]")
    assert str(find_dataset("a.json")) == "a.json"


def test_a_data_set_that_is_nowhere_is_reported_with_the_places(tmp_path, monkeypatch):
    monkeypatch.setenv("TOOLKIT_DATA", str(tmp_path))

    with pytest.raises(DataError, match=r"no file none\.json or .*none\.json"):
        find_dataset("none.json")


def test_finding_a_folder_is_refused(tmp_path):
    with pytest.raises(DataError, match="is a folder"):
        find_dataset(str(tmp_path))


def test_prompts_are_the_same_but_for_case_width_space_and_punctuation():
    assert prompt_key("Ｗho are you?") == prompt_key("who are  YOU")
    assert prompt_key("你是谁？") == prompt_key("你是谁")
    assert len({prompt_key(text) for text in ("3-1=?", "31=?", "3.1=?", "C#", "C", "C++", "？？")}) == 7


def test_a_row_that_no_model_reads_is_refused_before_it_is_parsed(tmp_path):
    long = "x" * 8_000_001
    for name, content in {
        "a.jsonl": f'{{"instruction": "{long}", "output": "b"}}\n{{"instruction": "a", "output": "b"}}\n',
        "a.json": f'[{{"instruction": "{long}", "output": "b"}}, {{"instruction": "a", "output": "b"}}]',
        "a.csv": f"instruction,output\n{long},b\na,b\n",
    }.items():
        (tmp_path / name).write_text(content)
        found = read_dataset(tmp_path / name)

        assert len(found.rows) == 1
        assert "8 million characters, more than any model reads" in found.bad[0].why


def test_a_file_of_many_gigabytes_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "a.jsonl"
    with path.open("wb") as file:
        file.truncate(3_000_000_000)  # a sparse file

    with pytest.raises(DataError, match=r"3\.0 GB"):
        read_dataset(path)


@pytest.mark.parametrize("name", ["\udcd6\udcd0.json", "\udcff/a.json"])
def test_a_name_that_is_not_utf_8_is_refused_before_it_is_recorded(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    Path(name).parent.mkdir(exist_ok=True)
    Path(name).write_text("[]")

    with pytest.raises(DataError, match="bytes that are not UTF-8") as caught:
        find_dataset(name)
    assert "Rename the file" in caught.value.next
