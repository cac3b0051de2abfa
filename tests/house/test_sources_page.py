"""docs/sources.md is what its command makes of the tables, and no benefit is missing."""

from streams.citizens.rule_sets import LawBook
from streams.upstream.sources_page import sources_text
from streams.upstream.tables import UpstreamTables
from tests.support.places import DOCS

BENEFITS = LawBook().catalogue().benefits


def test_the_page_is_made_from_the_tables_as_they_are():
    assert (DOCS / "sources.md").read_text() == sources_text(), "run make sources"


def test_every_benefit_has_its_lines_about_reporting_and_accounts():
    for part in sources_text().split("\n## Konti / Accounts\n"):
        rows = [line.split(" | ") for line in part.splitlines() if line.startswith("| ")]
        assert {row[0].removeprefix("| ") for row in rows[1:]} == BENEFITS.keys()


def test_what_an_account_decides_among_are_benefits_of_the_catalogue():
    named = {code for row in UpstreamTables(None).type_rows() for code in row.may_be}
    assert named
    assert named <= BENEFITS.keys()
    assert not any(row.may_be for row in UpstreamTables(None).type_rows() if row.benefit)
