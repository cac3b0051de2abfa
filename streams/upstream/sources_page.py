"""The page of sources docs/sources.md, written from the tables of upstream and the rule data.

`python -m streams.upstream.sources_page docs/sources.md` writes it (`make sources`); a test keeps
it current. It says of each benefit who reports it, and how, with source and evidence mark; what no
table says stays open.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from streams.citizens.rule_sets import PACKAGED, LawBook, read_document
from streams.upstream.tables import TypeRow, UpstreamTables

OPEN: Final = "ikke offentligt"
TURN: Final = "2016-01-01"
_REPORTERS: Final = {
    "municipality": "kommunen", "a_kasse": "a-kassen",
    "udbetaling_danmark": "Udbetaling Danmark", "other": "andre",
}  # fmt: skip
_HEAD: Final = """# Kilder til ydelserne / Sources of the benefits

<!-- Made by `make sources` from the tables in streams/upstream/eindkomst and domain/rules. -->

Siden er lavet af tabellerne og ændres ved at ændre dem. Den siger for hver ydelse, hvem der
indberetter den, gennem hvilken tjeneste og i hvilke felter, og hvilke konti den har. Hvad ingen
offentlig kilde siger, står som "ikke offentligt" og gættes ikke.

This page is made from the tables; change those. For each benefit it says who reports it, through
which service and fields, and which accounts it has. What no public source says stands as
"ikke offentligt" (not public), and is not guessed. Evidence marks: verified, inferred, assumed.

Tjeneste 10 er eIndkomsts svar om personer, tjeneste 11 om virksomheder. Service 10 gives answers
about persons, service 11 about companies.

## Indberetning / Reporting

"""
_REPORTING_COLUMNS: Final = (
    "kode", "ydelse", "indberetter", "tjeneste", "blanket og felt", "indkomsttype", "indtægtsart",
    "fra", "til", "kilde", "bevis",
)  # fmt: skip
_ACCOUNTS: Final = """
## Konti / Accounts

Kontoen i indberetningen (felt 201 og 202) afgør ydelsen, hvor indtægtsarten ikke gør; den tabel er
ikke offentlig. Her står de konti, som kommunerne bogfører på. The account in a report decides the
benefit where the indtægtsart does not; that table is not public. Here are the accounts on which
municipalities book.

"""
_ACCOUNT_COLUMNS: Final = (
    "kode", "sats", "før 2016 / before 2016", "fra 2016 / since 2016", "gælder fra", "gælder til",
    "kilde", "bevis",
)  # fmt: skip


def sources_text() -> str:
    """Write the page."""
    benefits = LawBook().catalogue().benefits
    reporting = "".join(
        _line(code, benefit.name, *cells)
        for code, benefit in benefits.items()
        for cells in _reporting(code, reportable=benefit.reportable)
    )
    accounts = "".join(_line(code, *cells) for code in benefits for cells in _accounts(code))
    tables = [
        text + _line(*columns) + "|---" * len(columns) + "|\n"
        for text, columns in ((_HEAD, _REPORTING_COLUMNS), (_ACCOUNTS, _ACCOUNT_COLUMNS))
    ]
    return tables[0] + reporting + tables[1] + accounts


def _line(*cells: object) -> str:
    return "| " + " | ".join(str(cell) for cell in cells) + " |\n"


def _reporting(code: str, *, reportable: bool) -> Iterator[tuple[object, ...]]:
    """Yield what the tables say of the reports of a benefit, or one line that says nothing."""
    if not reportable:
        yield ("ingen: beregnes", *["-"] * 6, "regelsættet", "verified")
        return
    rows = [row for row in UpstreamTables(None).type_rows() if code in (row.benefit, *row.may_be)]
    for row in rows:
        dates = (_day(row.valid_from), _day(row.valid_to))
        kind = row.income_type or "enhver"
        yield (
            _REPORTERS[row.reporter], _service(row), _fields(row), kind, row.indtaegtsart,
            *dates, row.source, row.evidence,
        )  # fmt: skip
    if not rows:
        yield (*[OPEN] * 5, "-", "-", "-", "-")


def _service(row: TypeRow) -> str:
    """Name the service: subsidies to companies are reported on the company."""
    return "10 og 11" if row.indtaegtsart in {"0070", "0071"} else "10"


def _fields(row: TypeRow) -> str:
    if row.without_16300:
        return "16001"
    account = "202" if row.reporter == "municipality" else "201"
    return f"16300, konto i {account}" + ("" if row.benefit else ", som afgør ydelsen")


def _day(day: Any) -> str:
    return "-" if day.year in (1, 9999) else day.isoformat()


def _accounts(code: str) -> Iterator[tuple[object, ...]]:
    document: Any = read_document(PACKAGED, "accounts.yaml")
    rows = [row for row in document["accounts"] if code in row["benefits"]]
    for row in rows:
        since, until = (str(row[name] or "-") for name in ("valid_from", "valid_to"))
        before = row["account"] if since < TURN else OPEN
        after = row["account"] if until == "-" or until >= TURN else OPEN
        yield row["rate"], before, after, since, until, row["reference"], row["evidence"]
    if not rows:
        yield "-", OPEN, OPEN, "-", "-", "-", "-"


if __name__ == "__main__":
    (target,) = map(Path, sys.argv[1:])
    target.write_text(sources_text(), encoding="utf-8")
