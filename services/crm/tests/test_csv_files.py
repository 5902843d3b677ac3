"""CSV files as bytes, and what their columns and rows mean: no server."""

import pytest
from flotilla.ids import new_id
from flotilla_crm.domain import csv_files
from flotilla_crm.domain.csv_files import UnreadableError, read_piece
from flotilla_crm.domain.imports import Draft, Plan, draft_of, propose

ORG = new_id()


@pytest.mark.parametrize(
    ("encoding", "found"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8"),
        ("utf-16", "utf-16-le"),
        ("cp1251", "cp1251"),
    ],
)
def test_what_a_file_is_written_in(encoding: str, found: str) -> None:
    text = "Имя;Почта\r\nИван Петров;ivan@example.ru\r\nОльга Сидорова;olga@example.ru\r\n"
    plan, rows = propose(text.encode(encoding), whole=True)
    assert (plan.encoding, plan.delimiter, plan.header) == (found, ";", True)
    assert plan.columns == ["first_name", "email"]
    assert rows[1] == ["Иван Петров", "ivan@example.ru"]


def test_utf8_that_is_cut_off_within_a_letter_is_utf8() -> None:
    assert csv_files.encoding_of("Größe ß".encode()[:-1]) == "utf-8"


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("Full Name,E-Mail,Phone Number,Shoe size\n", ["name", "email", "phone", None]),
        ("first_name\tlast_name\ttags\n", ["first_name", "last_name", "tags"]),
        ("Ann,+49 30 901820,ann@example.com\nBo,+49 30 901821,bo@example.com\n", [None, "phone", "email"]),
        ("name,name\n", ["name", None]),
    ],
)
def test_what_columns_seem_to_mean(text: str, columns: list[str | None]) -> None:
    plan, _ = propose(text.encode(), whole=True)
    assert plan.columns == columns


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "cp1251"])
def test_a_file_read_in_pieces_is_the_file(encoding: str) -> None:
    """Rows hold line breaks, quotes, and letters whose bytes look like line breaks."""
    text = (
        'имя,"a\nb"\n\nЊ\u010a,"say ""hi"""\nlast,row'
        if encoding != "cp1251"
        else 'имя,"a\nb"\n\nx,"q"\nlast,row'
    )
    data = text.encode(encoding)
    for window in (len("имя,,,,,,,,,,".encode(encoding)) * 2, len(data)):
        rows, position = [], 0
        while position < len(data):
            part = data[position : position + window]
            last = position + window >= len(data)
            piece = read_piece(part, last=last, encoding=encoding, delimiter=",", limit=2)
            rows += piece.rows
            position += piece.consumed
        assert rows[0] == ["имя", "a\nb"]
        assert rows[-1] == ["last", "row"]
        assert len(rows) == 4


def test_a_quote_that_is_left_open_is_said() -> None:
    with pytest.raises(UnreadableError, match="quote"):
        read_piece(b'a,"b' + b"x" * 200_000, last=False, encoding="utf-8", delimiter=",")
    with pytest.raises(UnreadableError, match="quote"):
        read_piece(b"x" * 1000, last=False, encoding="utf-8", delimiter=",")


def _plan(*columns: str | None) -> Plan:
    return Plan(encoding="utf-8", delimiter=",", header=False, columns=list(columns))


def test_a_row_in_normal_form() -> None:
    plan = _plan("first_name", "last_name", "email", "phone", None, "tags", "custom.size")
    cells = [" Zoë ", "Groß", "Z@Example.COM", "+49 30 901820", "?", "vip; berlin", "4"]
    draft = draft_of(ORG, 7, cells, plan)
    assert isinstance(draft, Draft)
    assert (draft.name, draft.email, draft.phone) == ("Zoë Groß", "z@example.com", "+4930901820")
    assert (draft.tags, draft.custom_fields, draft.row) == (["berlin", "vip"], {"size": "4"}, 7)


@pytest.mark.parametrize(
    ("cells", "fields"),
    [
        (["Ann", "ann", "030"], ["email", "phone"]),
        (["", "", ""], [None]),
        (["\ufffd", "", ""], ["name"]),
        (["x" * 3000, "", ""], ["name"]),
        (["short row"], []),
    ],
)
def test_everything_that_is_wrong_with_a_row(cells: list[str], fields: list[str | None]) -> None:
    found = draft_of(ORG, 1, cells, _plan("name", "email", "phone"))
    assert [each.field for each in found] == fields if isinstance(found, list) else fields == []
