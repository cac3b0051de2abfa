"""A municipality's own books are read as people write them, and held against the sum postings."""

import pytest

from projections.lis.books import BookLine, BooksError, afstemning_rows, read_books
from projections.lis.questions import LisQuestion, ViewError
from projections.lis.scopes import ViewScope
from tests.support.lives import RULES

HEAD = "account;month;amount"
ACCOUNT = "5.57.71.2.011"


def test_amounts_are_kroner_with_a_decimal_comma():
    lines = [HEAD, f"{ACCOUNT};2024-01;1.234,50", "", ";2024-02;-7"]
    assert [*read_books(lines)] == [
        BookLine(ACCOUNT, "2024-01", 123450),
        BookLine("", "2024-02", -700),
    ]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([], "the first line must name"),
        (["konto;måned;beløb"], "the first line must name"),
        ([HEAD, "", ";;"], "there is no line below the names of the columns"),
        ([HEAD, f"{ACCOUNT};januar;1"], "line 2: 'januar' is no month"),
        ([HEAD, f"{ACCOUNT};2024-01;12.5"], "line 2: '12.5' is no amount"),
    ],
)
def test_what_cannot_be_read_is_told_by_its_line(lines, said):
    with pytest.raises(BooksError, match=said):
        [*read_books(lines)]


def reconciled(posted, books, municipality="730"):
    question = LisQuestion("afstemning", municipality=municipality, books=tuple(books))
    scope = ViewScope(question, {49: "2024-01", 50: "2024-02"}, RULES, lambda *_: posted, list, {})
    return {row[:2]: row[2:] for row in afstemning_rows(scope)}


def test_a_difference_is_explained_by_what_came_after_the_month_was_settled():
    posted = [
        (ACCOUNT, "2024-01", 49, "result", 1000),
        (ACCOUNT, "2024-01", 50, "correction", -100),
        (ACCOUNT, "2024-01", 50, "result", 40),
        (None, "2024-01", 49, "result", 7),
        ("other", "2024-01", 49, "result", 500),
        (ACCOUNT, "2024-02", 50, "result", 900),
    ]
    books = [BookLine(ACCOUNT, "2024-01", 1000), BookLine("other", "2024-01", 450)]
    assert reconciled(posted, books) == {
        # posted, books, difference, corrections, late, unexplained
        (ACCOUNT, "2024-01"): (940, 1000, -60, -100, 40, 0),
        ("other", "2024-01"): (500, 450, 50, 0, 0, 50),
        (None, "2024-01"): (7, 0, 7, 0, 0, 7),
    }


def test_books_agree_once_the_correction_is_booked():
    posted = [
        (ACCOUNT, "2024-01", 49, "result", 1000),
        (ACCOUNT, "2024-01", 50, "correction", -100),
    ]
    rows = reconciled(posted, [BookLine(ACCOUNT, "2024-01", 900)])
    assert rows == {(ACCOUNT, "2024-01"): (900, 900, 0, -100, 0, 0)}


def test_books_are_those_of_one_municipality():
    with pytest.raises(ViewError, match="--municipality"):
        reconciled([], [], municipality=None)
