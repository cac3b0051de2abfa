"""The page about Excel is about our files: their columns, their signs and their encoding."""

import re

from projections.runs.files import COLUMNS, MONEY
from tests.support.places import DOCS

PAGE = (DOCS / "filer-i-excel.md").read_text(encoding="utf-8")
GUESSED = ("CPR nummer", "Resultat-id", "Korrektion af", "Årsag", "Konto")
"""The columns that a spreadsheet would spoil, as the page names them."""


def test_every_file_and_every_column_that_the_page_names_is_there():
    assert all(f"`{name}`" in PAGE for name in COLUMNS)
    names = {column for columns in COLUMNS.values() for column in columns}
    listed = re.search(r"i dens trin 3 markeres (.*?), og \*\*Tekst\*\*", PAGE, re.DOTALL)
    assert listed is not None
    assert set(re.findall(r"`([^`]+)`", listed[1])) == {*GUESSED} <= names


def test_the_columns_of_amounts_are_those_that_the_page_counts():
    assert "de fire, der ender på *beløb*" in PAGE
    assert len([name for name in COLUMNS["beregning"] if name.endswith("beløb")]) == 4
    assert {name for name in COLUMNS["beregning"] if name.endswith("beløb")} <= MONEY
