"""The dated tables with which answers of eIndkomst become reports.

Those of the program are in `eindkomst/`, each row with its source and evidence mark; a folder of
one's own lays its rows over them, in files of the same names. Nothing is guessed: what no row says
stays undecided.

    accounts.yaml   account -> benefit, and what else the account alone decides
    by_type.yaml    class of reporter, income type, indtægtsart -> benefit
    amounts.yaml    the fields that hold money, with their sign
    reporters.yaml  SE number -> class, municipality
    service.yaml    how the service shows what is not public
    residence.csv   cpr;municipality;from
    facts.jsonl     reports that no answer carries, passed through

For answers of the Ydelsesindeks, of which nothing is public: the program has no rows.

    index_benefits.yaml   class (UUID) or name of a benefit -> benefit
    index_owners.yaml     owner of a grant (CVR) -> reporter
"""

import csv
from bisect import bisect_right
from collections.abc import Iterable
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, Literal

import yaml
from msgspec import Struct, ValidationError, convert

from domain.basics.cache import Memo
from domain.basics.weeks import day
from streams.kit.errors import UserError

PACKAGED: Final = files("streams.upstream") / "eindkomst"
ReporterClass = Literal["municipality", "a_kasse", "udbetaling_danmark", "other"]
Shown = Literal["marked", "negative", "left_out"]
BesideEqual = Literal["takes_back", "stands"]
Evidence = Literal["verified", "inferred", "assumed", "simulated"]


class _DatedRow(Struct, forbid_unknown_fields=True, kw_only=True):
    """A dated row with its source."""

    valid_from: date = date.min
    valid_to: date = date.max
    source: str
    evidence: Evidence
    note: str = ""

    def holds_on(self, number: int) -> bool:
        """Tell whether the row holds on a day."""
        return self.valid_from.toordinal() <= number <= self.valid_to.toordinal()


class AccountRow(_DatedRow):
    """An account, and what it decides; `financing` is for what residence does not tell."""

    account: str
    benefit: str | None
    financing: str | None = None
    outside_act: bool = False


class TypeRow(_DatedRow):
    """A class of reporter with an income type and an indtægtsart, and the benefit if they decide.

    `without_16300` is for benefits outside Ydelsesrefusion: the amount is that of blanket 16001.
    `may_be` names the benefits among which the account decides; nothing is converted by it.
    """

    reporter: ReporterClass
    income_type: str
    indtaegtsart: str
    benefit: str | None
    without_16300: bool = False
    may_be: tuple[str, ...] = ()


class AmountRow(_DatedRow):
    """A field that holds money, by its number, and the sign with which it counts."""

    field: str
    sign: int = 1


class ReporterRow(_DatedRow):
    """A reporter, by its SE number."""

    se: str
    reporter: ReporterClass
    municipality: str | None = None
    name: str = ""


class IndexBenefitRow(_DatedRow):
    """A benefit of the Ydelsesindeks by its class (a UUID), or by its name; null: none of ours."""

    benefit: str | None
    benefit_class: str = ""
    name: str = ""


class IndexOwnerRow(_DatedRow):
    """The owner of a grant by its CVR number, and the number with which it reports."""

    owner: str
    reporter: str


class _ServiceSettings(Struct, forbid_unknown_fields=True):
    """The settings of the services: what is not public is null until somebody has seen an answer.

    `index_not_paid` are the statuses in the Ydelsesindeks that say that a payment was not made.
    """

    reversed_report: Shown | None = None
    marked_beside_equal: BesideEqual | None = None
    atp_field: str = "199"
    index_not_paid: tuple[str, ...] = ()


_Table = Literal["accounts", "types", "reporters"]
_Key = str | tuple[str, str, str]
_ROWS: Final[dict[str, type[_DatedRow]]] = {
    "accounts": AccountRow, "by_type": TypeRow, "amounts": AmountRow, "reporters": ReporterRow,
    "index_benefits": IndexBenefitRow, "index_owners": IndexOwnerRow,
}  # fmt: skip


class UpstreamTables:
    """All tables, those of the program and those of a folder laid over them."""

    def __init__(self, folder: Path | None) -> None:
        """Read them. Raises UserError, which names file and row and repeats no CPR number."""
        self.folder = folder
        rows: dict[str, list[Any]] = {name: [] for name in _ROWS}
        settings: dict[str, Any] = {}
        for place in filter(None, (PACKAGED, folder)):
            for name in _ROWS:
                rows[name] = [*_rows(name, _text_of(place / f"{name}.yaml")), *rows[name]]
            settings |= _document("service.yaml", _text_of(place / "service.yaml")) or {}
        self._service: _ServiceSettings = _converted(
            "service.yaml", "the settings", settings, _ServiceSettings
        )
        self._accounts = _by(rows["accounts"], lambda row: row.account)
        self._types = _by(
            rows["by_type"], lambda row: (row.reporter, row.income_type, row.indtaegtsart)
        )
        self.signs = {int(row.field): row.sign for row in reversed(rows["amounts"])}
        self._reporters = _by(rows["reporters"], lambda row: row.se)
        self._index_classes = _by(
            rows["index_benefits"], lambda row: row.benefit_class.lower() or f"={row.name}"
        )
        self._index_owners = _by(rows["index_owners"], lambda row: row.owner)
        self._residence = _residence(folder / "residence.csv") if folder else {}
        self._found: Memo[tuple[_Table, _Key, int], Any] = Memo(self._row_of, 1 << 14)

    @property
    def reversed_report(self) -> Shown:
        """Tell how the service shows a reversed report. Raises UserError where that is not set."""
        if self._service.reversed_report is None:
            raise UserError(
                "how the service shows a reversed report is not public, and is not set: write"
                " `reversed_report: marked`, `negative` or `left_out` into service.yaml of the"
                " folder that --tables names (docs/upstream.md says what each means)"
            )
        return self._service.reversed_report

    @property
    def marked_beside_equal(self) -> BesideEqual | None:
        """Tell what a marked line means beside its equal in one period; None where nobody knows."""
        return self._service.marked_beside_equal

    @property
    def own_folder(self) -> Path:
        """The folder of one's own tables. Raises UserError where there is none."""
        if self.folder is None:
            raise UserError("name a folder of your own tables: --tables DIR (docs/upstream.md)")
        return self.folder

    @property
    def atp_field(self) -> int:
        """The field of blanket 16001 that holds the ATP to take."""
        return int(self._service.atp_field)

    def _row_of(self, asked: "tuple[_Table, _Key, int]") -> Any:
        """Find the row of a key on a day."""
        table, key, on = asked
        rows = {"accounts": self._accounts, "types": self._types, "reporters": self._reporters}
        return _holding(rows[table].get(key, ()), on)

    def account(self, account: str, on: int) -> AccountRow | None:
        """Return the row of an account on a day."""
        row: AccountRow | None = self._found["accounts", account, on]
        return row

    def by_type(self, reporter: str, income_type: str, art: str, on: int) -> TypeRow | None:
        """Return the row of a class of reporter, an income type and an indtægtsart on a day."""
        exact, any_type = ((reporter, each, art.zfill(4)) for each in (income_type, ""))
        row: TypeRow | None = self._found["types", exact, on] or self._found["types", any_type, on]
        return row

    def type_rows(self) -> list[TypeRow]:
        """List the rows by class of reporter, income type and indtægtsart."""
        return [row for rows in self._types.values() for row in rows]

    def reporter(self, number: str, on: int) -> ReporterRow | None:
        """Return the row of a reporter on a day."""
        row: ReporterRow | None = self._found["reporters", number, on]
        return row

    @property
    def index_not_paid(self) -> tuple[str, ...]:
        """Statuses in the Ydelsesindeks that say that a payment was not made."""
        return self._service.index_not_paid

    def index_benefit(self, benefit_class: str, name: str, on: int) -> IndexBenefitRow | None:
        """Return the row of a benefit of the Ydelsesindeks on a day: by its class, or by name."""
        keys = filter(None, (benefit_class, f"={name}" if name else ""))
        found = (_holding(self._index_classes.get(key, ()), on) for key in keys)
        return next(filter(None, found), None)

    def index_owner(self, owner: str, on: int) -> IndexOwnerRow | None:
        """Return the row of the owner of a grant on a day."""
        row: IndexOwnerRow | None = _holding(self._index_owners.get(owner, ()), on)
        return row

    def residences(self, cpr: str, start: int, end: int) -> list[tuple[int, int, str | None]]:
        """Split a period by the municipality of residence; None where it is not known."""
        moves = self._residence.get(cpr, [])
        at = bisect_right(moves, (end, "\uffff"))
        found: list[tuple[int, int, str | None]] = []
        last = end
        for since, code in reversed(moves[:at]):
            first = max(since, start)
            if found and found[0][2] == code:
                found[0] = (first, found[0][1], code)
            else:
                found.insert(0, (first, last, code))
            last = first - 1
            if first == start:
                return found
        return [(start, last, None), *found]


def _by(rows: Iterable[Any], key: Any) -> dict[Any, list[Any]]:
    found: dict[Any, list[Any]] = {}
    for row in rows:
        found.setdefault(key(row), []).append(row)
    return found


def _holding(rows: Iterable[Any], on: int) -> Any:
    return next((row for row in rows if row.holds_on(on)), None)


def _text_of(path: Any) -> str:
    """Read a table; a folder of one's own needs not have all of them."""
    if not path.is_file():
        return ""
    try:
        text: str = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise UserError(f"{path.name} cannot be read as UTF-8") from None
    return text


def _document(name: str, text: str) -> Any:
    try:
        return yaml.load(text, Loader=_LOADER)  # noqa: S506 - a safe loader either way
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        raise UserError(f"{name}{where}: this is no YAML; correct it") from None


_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _rows(name: str, text: str) -> list[_DatedRow]:
    document = _document(f"{name}.yaml", text)
    if document is None:
        return []
    if not isinstance(document, list):
        raise UserError(f"{name}.yaml: not a list of rows; begin each with a dash")
    return [
        _converted(f"{name}.yaml", f"row {number}", row, _ROWS[name])
        for number, row in enumerate(document, 1)
    ]


def _converted(file: str, place: str, value: Any, kind: Any) -> Any:
    try:
        return convert(value, kind)
    except ValidationError as error:
        field = str(error).rpartition("`$.")[2].rstrip("`") if "`$." in str(error) else ""
        where = f", field {field}" if field.isidentifier() else ""
        raise UserError(
            f"{file}: {place}{where}: a field is missing, unknown or of another form than the"
            " tables have (docs/upstream.md)"
        ) from None


def _residence(path: Path) -> dict[str, list[tuple[int, str]]]:
    """Read the residence of citizens. Errors name the line, and no number."""
    if not path.is_file():
        return {}
    moves: dict[str, list[tuple[int, str]]] = {}
    with path.open(encoding="utf-8-sig", newline="") as file:
        for number, row in enumerate(csv.reader(file, delimiter=";"), 1):
            if number == 1 or not row:
                continue
            try:
                cpr, municipality, since = row
                moves.setdefault(cpr, []).append((day(since), municipality))
            except ValueError:
                raise UserError(
                    f"residence.csv, line {number}: not cpr;municipality;from with a date"
                    " YYYY-MM-DD"
                ) from None
    for own in moves.values():
        own.sort()
    return moves
