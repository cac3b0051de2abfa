"""Makes three files of a municipality from the ledger's rows of a run (contract section 4).

It is pure: rows in, lines out. `overviews.py` makes the two others, which say what is true as of
the run.

* `beregning`, the specification, has a line for each week, person, benefit, financing municipality
  and rate: the rows of the run with these, summed. Ids, the ids that are corrected and causes are
  joined by a space, each row's in the order of posting. Lines without any money are left out.
* `sumposteringer`, for the economy system, has the same rows summed by account, benefit, month and
  rate.
* `advisering` has the notices about reports of the run. They go to the municipalities that they
  name (those that pay or finance the payment), or else to those with rows of the citizen in the
  run. The form is ours to define; the columns are person, code, the code in words, the report, the
  notice's other fields as JSON, and what to do. The person is empty where the ledger has nothing of
  the citizen: the report tells the municipality whom it is about.

Lines are sorted by all columns that distinguish them, so that a file made again has the same bytes.
Benefits and municipalities are distinguished by their names, as the reader sees them.
"""

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from operator import itemgetter
from typing import Any, Final, NamedTuple, Protocol

import orjson

from domain.basics.municipalities import municipality_of_row

FileValues = tuple[str | int | None, ...]
"""The values of a line: texts, whole numbers, and money in øre where the column is one of MONEY."""

MONEY: Final = frozenset(
    {
        "Indberetning udbetalingsbeløb",
        "Beregnet udbetalingsbeløb",
        "Refusionsbeløb",
        "Medfinansieringsbeløb",
        "Total",
        "Refusion",
        "Medfinansiering",
    }
)
WHOLE: Final = frozenset(
    {
        *("Refusionssats", "Medfinansieringssats", "Antal", "Anciennitet", "Trin"),
        *("Uger til næste trin", "Optjente uger", "Uger til ny start"),
    }
)
"""Columns of whole numbers; empty where there is none."""
COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "beregning": (
        "Uge", "CPR nummer", "Ydelse", "Finansiering Kommunenavn", "Indberetning udbetalingsbeløb",
        "Beregnet udbetalingsbeløb", "Refusionssats", "Refusionsbeløb", "Medfinansieringssats",
        "Medfinansieringsbeløb", "Resultat-id", "Korrektion af", "Årsag",
    ),
    "sumposteringer": (
        "Konto", "Ydelse", "Måned", "Refusionssats", "Medfinansieringssats",
        "Indberetning udbetalingsbeløb", "Beregnet udbetalingsbeløb", "Refusionsbeløb",
        "Medfinansieringsbeløb",
    ),
    "advisering": ("CPR nummer", "Advis", "Betydning", "Indberetning", "Oplysninger", "Handling"),
    "ugeoversigt": (
        "Uge", "Ydelse", "Finansiering Kommunenavn", "Antal", "Total", "Refusion",
        "Medfinansiering",
    ),
    "anciennitet": (
        "CPR nummer", "Anciennitet", "Trin", "Uger til næste trin", "Optjente uger",
        "Uger til ny start", "Næste uge ud af vinduet", "Opgjort uge",
    ),
}  # fmt: skip


class Meaning(NamedTuple):
    """The words for a notice's code, and the action that its reader should take."""

    meaning: str
    action: str


MEANINGS: Final[Mapping[str, Meaning]] = {
    "possible_duplicate": Meaning(
        "Samme ydelse, periode og beløb er også indberettet af en anden eller ad en anden vej",
        "Afklar med den anden indberetter, hvilken der er rigtig; den forkerte tilbageføres",
    ),
    "awaiting_reversal": Meaning(
        "En lignende udbetaling fra samme indberetter for de samme dage er ikke tilbageført",
        "Afklar med indberetteren, om den nye erstatter den gamle; i så fald tilbageføres den"
        " gamle",
    ),
    "after_death": Meaning(
        "Perioden ligger efter dødsdagen",
        "Stands og tilbagefør det, der er udbetalt efter dødsdagen, eller få dødsdagen rettet",
    ),
    "pension_award": Meaning(
        "Førtidspensionens kode passer ikke til tilkendelsesdatoen",
        "Sammenhold tilkendelsesdatoen med sagen; tilbagefør det, der er forkert, og indberet det"
        " igen",
    ),
    "flex_referral": Meaning(
        "Fleksjobydelsens kode passer ikke til visitationsdatoen",
        "Sammenhold visitationsdatoen med sagen; tilbagefør det, der er forkert, og indberet det"
        " igen",
    ),
    "negative_net": Meaning(
        "Der er tilbagebetalt mere end udbetalt for måneden",
        "Find den udbetaling, tilbagebetalingen hører til: den mangler, eller er betalt tilbage to"
        " gange",
    ),
    "rate_missing": Meaning(
        "En sats for perioden kendes ikke",
        "Der er ingen række, før satsen er kendt: afregn uden for systemet så længe, og meld det"
        " til regelansvarlig",
    ),
    "validity_partial": Meaning(
        "Perioden ligger kun delvist i ydelsens gyldighed",
        "Indberet dagene i gyldigheden for sig og de øvrige under den ydelse, der gjaldt da",
    ),
    "future_period": Meaning(
        "Perioden slutter længe efter indberetningen",
        "Kontrollér slutdatoen; tilbagefør indberetningen, hvis den er forkert",
    ),
    "closed_to_new": Meaning(
        "Ydelsen er lukket for nye sager, og borgeren har ingen tidligere periode med den",
        "Kontrollér ydelseskoden og sagens første dag; tilbagefør den forkerte, eller indberet"
        " de manglende perioder",
    ),
    "reversed_before": Meaning(
        "En tilbageført indberetning er kommet igen med samme id og indhold",
        "Der udbetales intet for den; er udbetalingen rigtig, indberettes den under et nyt id",
    ),
    "reversed_before_reported": Meaning(
        "En tilbageførsel har ventet over en måned på den indberetning, den nævner",
        "Afklar med indberetteren, hvad tilbageførslen gælder; er indberetningen rigtig,"
        " indberettes den under et nyt id",
    ),
}
"""Words for the codes of contract section 2 that are about a citizen.

Any other code is written without words.
"""

REPEATED: Final = Meaning(
    "Samme ydelse, periode og beløb er indberettet før af samme indberetter ad samme vej",
    "Afklar med indberetteren, om der er udbetalt to gange; ellers tilbageføres den ene",
)
"""Words for a `possible_duplicate` whose kind is `repeat`."""


class LedgerRow(NamedTuple):
    """The columns of the ledger that the files need of a posting row; `paying` … are codes."""

    offset: int
    position: int
    citizen: str
    cause: str
    id: str
    reverses: str | None
    month: str
    week: str
    benefit: str
    paying: str
    financing: str
    amount_ore: int
    atp_ore: int
    mechanism: str
    rate: int
    refusion_ore: int
    medfinansiering_ore: int
    account: str | None


class Names(NamedTuple):
    """Names of benefits and municipalities by their codes."""

    benefits: Mapping[str, str]
    municipalities: Mapping[str, str]


class Sums(NamedTuple):
    """Sums in øre.

    `reported` is with the ATP, `amount` is what the result is calculated from; `refusion` and
    `medfinansiering` are moved between municipality and state.
    """

    reported: int
    amount: int
    refusion: int
    medfinansiering: int


NOTHING: Final = Sums(0, 0, 0, 0)
_week_of: Final = itemgetter(
    *map(LedgerRow._fields.index, ("week", "citizen", "benefit", "financing", "mechanism", "rate"))
)
_apart: Final = itemgetter(0, 1, 2, 3, 6, 8)
"""The columns that distinguish the lines of `beregning`: week, CPR, names and rates."""
_account_of: Final = itemgetter(
    *map(LedgerRow._fields.index, ("account", "benefit", "month", "mechanism", "rate"))
)


def sums_of(rows: Iterable[LedgerRow]) -> Sums:
    """Add rows up."""
    reported = amount = refusion = medfinansiering = 0
    for row in rows:
        amount += row.amount_ore
        reported += row.amount_ore + row.atp_ore
        refusion += row.refusion_ore
        medfinansiering += row.medfinansiering_ore
    return Sums(reported, amount, refusion, medfinansiering)


class Municipality:
    """One municipality's part of a run: its rows, added in any order."""

    def __init__(self, names: Names) -> None:
        self.rows: list[LedgerRow] = []
        self._names = names

    @property
    def citizens(self) -> set[str]:
        """The citizens that the rows are about."""
        return {row.citizen for row in self.rows}

    def specification(self, cpr_of: Callable[[str], str]) -> list[FileValues]:
        """The lines of `beregning`."""
        lines = [
            self._week_line(cpr_of(group.key[1]), group) for group in _grouped(self.rows, _week_of)
        ]
        lines.sort(key=_apart)
        return lines

    def _week_line(self, cpr: str, group: "_Group") -> FileValues:
        (
            (monday, _, code, financing, mechanism, rate),
            rows,
            (reported, amount, refusion, medfinansiering),
        ) = group
        if len(rows) == 1:
            (row,) = rows
            origin = row.id, row.reverses or "", row.cause
        else:
            origin = _origin(rows)
        refusion_rate, medfinansiering_rate = _rates(mechanism, rate)
        return (
            monday, cpr, self._names.benefits[code], self._names.municipalities[financing],
            reported, amount, refusion_rate, refusion, medfinansiering_rate, medfinansiering,
            *origin,
        )  # fmt: skip

    def accounts(self) -> list[FileValues]:
        """The lines of `sumposteringer`."""
        return sorted(
            (account or "", self._names.benefits[benefit], month, *_rates(mechanism, rate), *sums)
            for (account, benefit, month, mechanism, rate), _, sums in _grouped(
                self.rows, _account_of
            )
        )


About = tuple[str, Mapping[str, Any]]
"""A citizen and a notice about one of their reports."""


def advice(told: Iterable[About], cpr_of: Callable[[str], str]) -> list[FileValues]:
    """Make the lines of `advisering` for some notices."""
    return sorted(_notice_line(notice, cpr_of(citizen)) for citizen, notice in told)


def concerned(notice: Mapping[str, Any]) -> list[str]:
    """The municipalities that a notice names."""
    municipalities: list[str] = (notice.get("detail") or {}).get("municipalities", [])
    return municipalities


def municipality_of(row: LedgerRow) -> str:
    """The municipality in whose file a row is."""
    municipality = municipality_of_row(row.mechanism, row.paying, row.financing)
    assert municipality is not None, "the ledger has only rows of a municipality"
    return municipality


class _Group(NamedTuple):
    """Rows that have a key in common."""

    key: tuple[Any, ...]
    rows: list[LedgerRow]
    sums: Sums


def _grouped(
    rows: Iterable[LedgerRow], key_of: Callable[[LedgerRow], tuple[Any, ...]]
) -> Iterator[_Group]:
    """Rows by key, without groups that come to 0 in every money column."""
    groups: dict[tuple[Any, ...], list[LedgerRow]] = {}
    for row in rows:
        groups.setdefault(key_of(row), []).append(row)
    for key, group in groups.items():
        sums = sums_of(group) if len(group) > 1 else _sums_of_one(group[0])
        if any(sums):
            yield _Group(key, group, sums)


def _sums_of_one(row: LedgerRow) -> Sums:
    """Add up one row, by itself because most groups have only one."""
    amount_ore = row.amount_ore
    return Sums(amount_ore + row.atp_ore, amount_ore, row.refusion_ore, row.medfinansiering_ore)


def _origin(rows: list[LedgerRow]) -> tuple[str, str, str]:
    """Join ids, ids that are corrected and causes, in the order of posting."""
    rows.sort()
    return (
        " ".join([row.id for row in rows]),
        " ".join([row.reverses for row in rows if row.reverses]),
        " ".join([row.cause for row in rows]),
    )


def _rates(mechanism: str, rate: int) -> tuple[int, int]:
    """The rates of refusion and of medfinansiering; the one that does not apply is 0."""
    return (rate, 0) if mechanism == "refusion" else (0, rate)


def _notice_line(notice: Mapping[str, Any], cpr: str) -> FileValues:
    code = notice["code"]
    detail = {
        name: value for name, value in (notice.get("detail") or {}).items() if name != "advice"
    }
    text = orjson.dumps(detail, option=orjson.OPT_SORT_KEYS).decode()
    is_repeat = code == "possible_duplicate" and detail.get("kind") == "repeat"
    meaning, action = REPEATED if is_repeat else MEANINGS.get(code, ("", ""))
    return cpr, code, meaning, notice.get("cause") or "", text, action


# --- the text -------------------------------------------------------------------------------------


_LOOKED_AT: Final = frozenset("=+-@ ")
"""First characters of printable texts that may be formulas: any other text is written as it is."""
_CONTROLS: Final = dict.fromkeys([*range(0x20), 0x7F], " ")


class TextFile(Protocol):
    """A file that text is written to."""

    def write(self, text: str, /) -> object:
        """Add text."""


def write_csv(kind: str, lines: Iterable[FileValues], file: TextFile) -> None:
    """Write a file: semicolons, decimal commas, a header line; quotes only where they must be.

    Texts are harmless, whoever wrote them.
    """
    columns = COLUMNS[kind]
    money = [number for number, column in enumerate(columns) if column in MONEY]
    texts = [number for number, column in enumerate(columns) if column not in MONEY | WHOLE]
    writer = csv.writer(file, delimiter=";", lineterminator="\n")
    writer.writerow(columns)
    for line in lines:
        values: list[Any] = list(line)
        for number in texts:
            text = values[number]
            if text and (text[0] in _LOOKED_AT or not text.isprintable()):
                values[number] = harmless(text)
        for number in money:
            values[number] = comma_kroner(values[number])
        writer.writerow(values)


def harmless(text: str) -> str:
    r"""Write a text so that it stays in its cell and is no formula to a spreadsheet.

    >>> harmless("=HYPERLINK(1)"), harmless("12345678/1"), harmless("a\r=1")
    ("'=HYPERLINK(1)", '12345678/1', 'a =1')
    """
    is_formula = text.lstrip().startswith(("=", "+", "-", "@")) or text.startswith(("\t", "\r"))
    return ("'" if is_formula else "") + text.translate(_CONTROLS)


@lru_cache(1 << 13)  # half of a file's amounts are 0, and many are the rate of a benefit
def comma_kroner(ore: int) -> str:
    """Write øre as kroner with two decimals and a comma.

    >>> comma_kroner(123456), comma_kroner(-5)
    ('1234,56', '-0,05')
    """
    text = f"{abs(ore):03d}"
    return f"{'-' if ore < 0 else ''}{text[:-2]},{text[-2:]}"


def file_name(kind: str, municipality: str, run: int, closed_at: str) -> str:
    """Make a file's name without its suffix; the date is that of the cut in UTC."""
    closed_on = datetime.fromisoformat(closed_at).astimezone(UTC).date()
    return f"yr-ydelsesrefusion-{kind}-{municipality}-{run:04d}-{closed_on.isoformat()}"
