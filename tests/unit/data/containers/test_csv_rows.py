"""CSV as pandas, Excel and people write it."""

from pathlib import Path

import pytest

from toolkit.core.errors import DataError
from toolkit.data.containers.csv_rows import csv_records
from toolkit.data.dataset import read_dataset
from toolkit.data.records import RowFault

PATH = Path("rows.csv")


def read(text):
    records, notes = csv_records(PATH, text)
    return [record.why if isinstance(record, RowFault) else record for _, record in records], notes


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_the_headers(delimiter):
    text = f"question{delimiter}answer\nWhere?{delimiter}There.\n"

    assert read(text) == ([{"question": "Where?", "answer": "There."}], ())


def test_commas_in_a_quoted_header_do_not_count():
    assert read('"a, b, c";answer\nx;y\n')[0] == [{"a, b, c": "x", "answer": "y"}]


def test_excels_line_that_names_the_delimiter_is_not_a_row():
    assert read("sep=;\r\nquestion;answer\r\nWhere, now?;There.\r\n")[0] == [
        {"question": "Where, now?", "answer": "There."}
    ]


def test_the_index_of_pandas_is_noted_and_not_read():
    records, notes = read(",question,answer\n0,Where?,There.\n1,Who?,Me.\n")

    assert records == [{"question": "Where?", "answer": "There."}, {"question": "Who?", "answer": "Me."}]
    assert notes == ("The first column has no name, as an index of pandas, and is not used.",)


@pytest.mark.parametrize("cell", ["nan", "NaN", "None", "NULL", "null", "<NA>", "#N/A"])
def test_what_programs_write_into_empty_cells_is_empty_and_noted(cell):
    records, notes = read(f"instruction,input,output\nHi,{cell},Hello\nBye,to {cell},Goodbye\n")

    assert [record["input"] for record in records] == ["", f"to {cell}"]
    assert notes == ("1 cell that says only nan, None or NULL: read as empty.",)


def test_empty_columns_and_rows_at_the_end_of_a_sheet_are_skipped():
    records, notes = read("question,answer,,\nWhere?,There.,,\n,,,\n,,,\n")

    assert records == [{"question": "Where?", "answer": "There."}]
    assert notes == ("2 rows of empty cells are skipped.",)


def test_a_filled_column_without_a_name_is_refused():
    with pytest.raises(DataError, match="has a column without a name"):
        read("question,answer,\nWhere?,There.,more\n")


def test_a_row_with_a_cell_too_many_names_its_line():
    records, _ = read('question,answer\n"Where\nis it?",There.\nWho?,Me, of course.\n')

    assert records[1] == "3 cells where the header has 2 (line 4)"


def test_an_open_quote_names_the_line_that_it_is_on():
    with pytest.raises(DataError, match=r"in the row that begins on line 3\."):
        read('question,answer\nWhere?,There.\n"Who?,Me.\nWhen?,Now.\n')


def test_a_file_of_which_every_row_breaks_says_where(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("question,answer\nWhere?,Here, there.\nWho?,Me, you.\n")

    with pytest.raises(DataError, match=r"row 1: 3 cells where the header has 2 \(line 2\)\. Put cells with commas"):
        read_dataset(path)


@pytest.mark.parametrize(
    "text",
    [
        "| question | answer |\n|---|---|\n| Where? | There. |\n",
        "question | answer\r\n:--- | ---:\r\nWhere? | There.\r\n",
        "|question|answer|\n|-|-|\n|Where?|There.|\n",
        "| question | answer |\n|---+---|\n| Where? | There. |\n",
        " question | answer \n----------+--------\n Where?   | There.\n",
        "question,answer\n---,---\nWhere?,There.\n",
        "question\tanswer\n--------\t------\nWhere?\tThere.\n",
    ],
    ids=["Markdown", "Markdown without outer bars", "Markdown in short", "Org", "psql", "commas", "tabs"],
)
def test_the_line_of_dashes_below_a_header_is_no_row(text: str):
    records, notes = read(text)

    assert records == [{"question": "Where?", "answer": "There."}]
    assert notes == ("The line of dashes below the header, as in Markdown, is skipped.",)


def test_cells_of_a_markdown_table_are_read_as_it_shows_them():
    records, _ = read('| question | answer |\n|---|---|\n| "Who | "I", a \\| b<br>c \\||\n|| ["There"] |\n')

    assert records == [
        {"question": '"Who', "answer": '"I", a | b\nc |'},
        {"question": "", "answer": '["There"]'},
    ]


def test_a_row_of_dashes_further_down_is_a_row():
    assert read("question,answer\nWhere?,There.\n---,---\n")[0][1] == {"question": "---", "answer": "---"}
    assert read("question|answer\nWhat is a hyphen?|-\n")[0] == [{"question": "What is a hyphen?", "answer": "-"}]


def test_a_line_below_a_drawn_table_is_a_fault_of_its_own():
    assert read("question | answer\n---------+-------\nWhere? | There.\n(1 row)\n")[0][1] == (
        "1 cells where the header has 2 (line 4)"
    )
