"""A text of a run's files stays in its cell and is no formula, whatever somebody wrote."""

import csv
from io import StringIO

from hypothesis import example, given, settings
from hypothesis import strategies as st

from projections.runs.files import comma_kroner, harmless, write_csv

CHARACTERS = "=+-@ \t\r\n\0\x1f\x7f\x85\xa0\u2003\u2028\xada1æ;\"'"


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.text(st.sampled_from(CHARACTERS), max_size=4), st.integers(-(10**6), 10**6))
@example(" =1", -5)
def test_each_text_is_written_as_what_is_harmless_and_each_amount_as_kroner(text, ore):
    file = StringIO(newline="")
    line = (text, text, text, text, ore, ore, 80, ore, 0, ore, text, None, text)
    write_csv("beregning", [line], file)
    written = file.getvalue()
    (_, cells) = csv.reader(StringIO(written, newline=""), delimiter=";")
    texts = [cells[number] for number in (0, 1, 2, 3, 10, 12)]
    assert texts == [harmless(text)] * 6
    whole, hundredths = divmod(abs(ore), 100)
    kroner = f"{'-' if ore < 0 else ''}{whole},{hundredths:02d}"
    assert [cells[number] for number in (4, 5, 7, 9)] == [kroner] * 4 == [comma_kroner(ore)] * 4
    assert (cells[6], cells[8], cells[11]) == ("80", "0", "")
