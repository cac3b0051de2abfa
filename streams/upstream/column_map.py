"""The mapping by which the rows of anybody's table become reports: a YAML file, no program.

All its values are read as text: `0115` is no number, and `no` no flag. An error names the line.
"""

from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, NoReturn

import yaml
from msgspec import Struct, ValidationError, convert

from streams.kit.errors import UserError
from streams.upstream.cell_values import (
    DAYS,
    MONEY,
    TIMES,
    CellReader,
    ReportValue,
    Unit,
    cell_text,
    is_exact_form,
    reader_of,
)
from streams.upstream.refund_lines import Refused
from streams.wire.shapes import REPORT_TYPES, fields_of

REPORT_FIELDS: Final = frozenset(
    {"type", "cpr"}.union(*(fields_of(report) for report in REPORT_TYPES.values()))
)
_NOTHING: Final = ("", "null", "~")
_LOADER: Final = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
_MOST_BYTES: Final = 1 << 20
_DEEPEST: Final = 4
"""The depth of the keys of a table of codes."""


class _ColumnRow(Struct, forbid_unknown_fields=True):
    """The column of a field, and how its cells are written."""

    column: str
    format: str = ""
    unit: Unit = "kroner"
    sign: Literal["1", "-1"] = "1"
    codes: dict[str, str] | None = None
    empty: str = ""


class _MappingDocument(Struct, forbid_unknown_fields=True):
    """The mapping as it is written."""

    fields: dict[str, Any]
    constants: dict[str, str] = {}
    format: Literal["csv", "json"] = "csv"
    delimiter: str = ";"
    encoding: Literal["utf-8", "iso-8859-1", "windows-1252"] = "utf-8"
    decimal: Literal[",", "."] = ","
    dates: str = ""


class MappedColumn(NamedTuple):
    """A field of reports, the column that it comes from, and the mapping's line that says so."""

    field: str
    column: str
    line: int
    codes: dict[str, str] | None
    empty: str
    read: CellReader
    decimal: str

    def value_of(self, cell: Any) -> ReportValue | None:
        """Read a cell; None is for an empty one. Raises Refused."""
        text = cell_text(self.field, cell, self.decimal) or self.empty
        if not text:
            return None
        if self.codes is None:
            return self.read(text)
        if text not in self.codes:
            raise Refused("unknown_code", self.field, "the table `codes` has no row for the value")
        code = self.codes[text]
        return self.read(code) if code not in _NOTHING else None


class TableMapping:
    """A mapping, checked: the form of the table, its columns, and the constants."""

    def __init__(self, path: Path) -> None:
        """Read it. Raises UserError, which names the line."""
        self.name = path.name
        node = _composed(path)
        lines = _lines_of(path.name, node)
        document = _document(path.name, node, lines)
        self.format, self.encoding = document.format, document.encoding
        self.delimiter = {"\\t": "\t", "tab": "\t"}.get(document.delimiter, document.delimiter)
        if len(self.delimiter) != 1 or self.delimiter in '"\r\n':
            self._fail(lines["delimiter",], "`delimiter` is one character, or tab")
        self._decimal, self._dates = document.decimal, document.dates
        self.columns = [
            self._column(field, row, lines["fields", field])
            for field, row in document.fields.items()
        ]
        self.constants: dict[str, ReportValue] = {}
        self.lines = {each.field: each.line for each in self.columns}
        for field, text in document.constants.items():
            self._add_constant(field, text, lines["constants", field])

    def _column(self, field: str, given: Any, line: int) -> MappedColumn:
        self._check_field(field, line)
        try:
            row = convert({"column": given} if isinstance(given, str) else given, _ColumnRow)
        except ValidationError:
            known = ", ".join(_ColumnRow.__struct_fields__)
            self._fail(line, f"{field} is a column's name, or has settings of these: {known}")
        form = row.format or (self._dates if field in DAYS | TIMES else "")
        if row.format and field not in DAYS | TIMES:
            self._fail(line, f"`format` is for days and times, and {field} is neither")
        if form and not is_exact_form(form):
            self._fail(line, "the format does not say day, month and year, as %d-%m-%Y does")
        if field not in MONEY and (row.unit, row.sign) != ("kroner", "1"):
            self._fail(line, f"`unit` and `sign` are for amounts, and {field} is none")
        read = reader_of(field, self._decimal, row.unit, int(row.sign), form)
        return MappedColumn(field, row.column, line, row.codes, row.empty, read, self._decimal)

    def _add_constant(self, field: str, text: str, line: int) -> None:
        """Read a constant: an amount in øre, a day or time of ISO 8601."""
        self._check_field(field, line)
        if field in self.lines:
            self._fail(line, f"{field} has a column too; leave one of the two out")
        self.lines[field] = line
        if text in _NOTHING:
            return
        try:
            self.constants[field] = reader_of(field, ".", "ore", 1, "")(text)
        except Refused as refused:
            self._fail(line, f"the constant {field}: {refused}")

    def _check_field(self, field: str, line: int) -> None:
        if field not in REPORT_FIELDS:
            self._fail(line, "reports have no such field; contract section 2 lists them")

    def _fail(self, line: int, sentence: str) -> NoReturn:
        raise UserError(f"{self.name}, line {line}: {sentence}")


def _composed(path: Path) -> Any:
    try:
        with path.open("rb") as file:
            text = file.read(_MOST_BYTES + 1)
        if len(text) > _MOST_BYTES:
            raise UserError(f"{path.name} is over 1 MiB: that is no mapping")
        return yaml.compose(text.decode("utf-8-sig"), Loader=_LOADER)
    except UnicodeDecodeError:
        raise UserError(f"{path.name} is not in UTF-8; write it so") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        raise UserError(f"{path.name}{where}: this is no YAML; correct it") from None


def _lines_of(name: str, node: Any) -> dict[tuple[str, ...], int]:
    """Give the line of each key by its path. Raises UserError for one that comes twice."""
    if not isinstance(node, yaml.MappingNode):
        raise UserError(f"{name}: no mapping; it begins with `fields:` (docs/upstream.md)")
    lines: dict[tuple[str, ...], int] = {}
    to_do: list[tuple[tuple[str, ...], Any]] = [((), node)]
    while to_do:
        above, mapping = to_do.pop()
        for key, value in mapping.value:
            place = (*above, str(key.value))
            line = key.start_mark.line + 1
            if place in lines:
                raise UserError(f"{name}, line {line}: the key came before; leave one out")
            lines[place] = line
            if isinstance(value, yaml.MappingNode) and len(place) < _DEEPEST:
                to_do.append((place, value))
    return lines


def _document(name: str, node: Any, lines: dict[tuple[str, ...], int]) -> _MappingDocument:
    known = _MappingDocument.__struct_fields__
    for place, line in lines.items():
        if len(place) == 1 and place[0] not in known:
            raise UserError(
                f"{name}, line {line}: a mapping has no such setting; it has {', '.join(known)}"
            )
    loader = _LOADER("")
    try:
        value = loader.construct_document(node)
        return convert(value, _MappingDocument)
    except (ValidationError, yaml.YAMLError, RecursionError) as error:
        key = next((each for each in known if f"`$.{each}" in str(error)), "")
        where = f", line {lines[key,]}" if (key,) in lines else ""
        what = f"`{key}` has another form than in mappings" if key else "`fields` is missing"
        raise UserError(f"{name}{where}: {what} (docs/upstream.md)") from None
    finally:
        loader.dispose()
