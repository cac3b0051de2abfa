"""The page of LIS tells every column as the program has it."""

import pytest

from projections.lis.tables import MARTS
from tests.support.places import DOCS


@pytest.mark.parametrize("name", MARTS)
def test_the_page_has_every_column_with_its_type_and_meaning(name):
    page = (DOCS / "lis.md").read_text().partition(f"### `{name}`")[2].partition("###")[0]
    for column in MARTS[name].columns:
        assert f"| `{column.name}` | {column.type} | {column.meaning} |" in page
