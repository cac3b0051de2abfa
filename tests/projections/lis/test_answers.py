"""The forms of an answer: JSON in øre, CSV for a spreadsheet, numbers as Danes write them."""

import csv
import io

import pytest

from projections.lis.answers import (
    Answer,
    as_object,
    money,
    number,
    percent,
    ratio,
    sums_of_columns,
    text,
    write_csv,
)

FIGURES = (text("benefit", "ydelse"), number("rate", "procent"), money("amount", "beløb"),
           percent("share", "andel"))  # fmt: skip
ROWS = [("KTH", 80, 123456, 9999), ("=1+1", 20, -5, 1), (None, None, 123451, 10000)]
ANSWER = Answer(
    "beloeb", "Beløb", "of", 82, "R-1", FIGURES, ROWS, "benefit",
    closed_at="2024-02-05T08:00:00Z", ledger_version=7,
)  # fmt: skip


def test_json_has_oere_and_numbers_with_two_decimals():
    assert as_object(ANSWER) == {
        "view": "beloeb", "as": "of", "run": 82, "closed_at": "2024-02-05T08:00:00Z",
        "rules": "R-1", "ledger_version": 7,
        "rows": [
            {"benefit": "KTH", "rate": 80, "amount_ore": 123456, "share": 99.99},
            {"benefit": "=1+1", "rate": 20, "amount_ore": -5, "share": 0.01},
            {"benefit": None, "rate": None, "amount_ore": 123451, "share": 100.0},
        ],
    }  # fmt: skip


def test_csv_is_for_danish_spreadsheets():
    file = io.StringIO()
    write_csv(ANSWER, file)
    written = file.getvalue()
    assert written.startswith("\ufeffbenefit;rate;amount;share\n")
    lines = [*csv.reader(io.StringIO(written.removeprefix("\ufeff")), delimiter=";")]
    assert lines[1:] == [
        ["KTH", "80", "1234,56", "99,99"],
        ["'=1+1", "20", "-0,05", "0,01"],
        ["", "", "1234,51", "100,00"],
    ]


def test_the_sum_line_leaves_total_rows_out():
    assert sums_of_columns(ANSWER) == [None, None, 123451, None]


@pytest.mark.parametrize(
    ("part", "whole", "hundredths"), [(1, 8, 1250), (5, 1000, 50), (1, 20_000, 1), (-1, 8, -1250)]
)
def test_a_share_is_rounded_half_up(part, whole, hundredths):
    assert ratio(part, whole) == hundredths
