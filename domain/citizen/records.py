"""The records of a citizen's state: arrays in JSON, with names in here.

A **part** is one month of a citizen. Its value is `[format, lines, incomes, groups]`:

    line    [reporter, report_id, money code, start, end, amount, atp, paying, financing, channel,
            reversed]
    income  [reporter, report_id, kind, start, end, amount, pension, reversed]
    group   [money code, paying, financing, cells]
    cell    [week, amount, atp] and, where a row is posted for it,
            [..., revision, position, ordinal, mechanism (R or M), rate, result, account]

A fifth element, the opening rows (`domain.citizen.openings`), is left out where there are none:

    opening [month, benefit, paying, financing, cell]

Days and weeks are numbers as in `domain.basics.weeks`, money is øre.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from operator import attrgetter
from typing import NamedTuple, TypeVar

import orjson
from msgspec import DecodeError, Struct, ValidationError
from msgspec.json import Decoder, Encoder

from domain.citizen.reports import IncomeLine, Line

FORMAT = 2
"""The format of heads and parts. Parts are the same in format 1; a head of 1 has no sealed CPR."""
TIED_FORMAT = 3
"""The format of the head of a citizen who was merged: it has ties, which 2 does not know."""
LARGEST_TOLD = 99
"""The largest format that an error repeats: a longer number may be somebody's CPR number."""


class StateError(Exception):
    """The stored state contradicts itself: it has to be restored from the journal."""


class NewerStateError(StateError):
    """The stored state is of a version newer than this one; the text says what to do."""


class Cell(Struct, array_like=True, gc=False):
    """The money of one week in a group, and the row posted for it.

    `revision` and `position` say which row of which message; revision 0 is no row. `mechanism`,
    `rate`, `result_ore` and `account` are the row's figures, `ordinal` is as of posting.
    A cell is never changed: a new one takes its place.
    """

    week: int
    amount_ore: int
    atp_ore: int
    revision: int = 0
    position: int = 0
    ordinal: int = 0
    mechanism: str = ""
    rate: int = 0
    result_ore: int = 0
    account: str | None = None


_ROW_OF_NONE = b',0,0,0,"",0,0,null]'
"""The end of a cell without a row as msgspec writes it: the state leaves these fields out.

No text can contain it, since a quote in a text is escaped.
"""


class Group(Struct, array_like=True, gc=False):
    """The cells of a money code and its municipalities in a month, in the order of weeks."""

    code: str
    paying: str | None
    financing: str | None
    cells: list[Cell]

    def cell(self, week: int) -> Cell | None:
        """Give the cell of a week, or None."""
        at = bisect_left(self.cells, week, key=_WEEK)
        return self.cells[at] if at < len(self.cells) and self.cells[at].week == week else None

    def put(self, cell: Cell) -> None:
        """Put a cell in the place of its week."""
        cells = self.cells
        if not cells or cells[-1].week < cell.week:
            cells.append(cell)
            return
        at = bisect_left(cells, cell.week, key=_WEEK)
        if cells[at].week == cell.week:
            cells[at] = cell
        else:
            cells.insert(at, cell)

    def remove(self, week: int) -> None:
        """Leave out the cell of a week, if there is one."""
        self.cells = [cell for cell in self.cells if cell.week != week]


_WEEK = attrgetter("week")


class OpeningRow(Struct, array_like=True, gc=False):
    """An opening row that no report answers for yet, with its cell as it is posted."""

    month: int
    benefit: str
    paying: str | None
    financing: str | None
    cell: Cell


class EarlyReversal(Struct, array_like=True, gc=False):
    """A reversal that came before what it takes back; `reported` is its day.

    For a group `reverses` is `group_in_state` of it.
    """

    reporter: str
    reverses: str
    report_id: str
    reported: int

    @property
    def awaited(self) -> str:
        """Give the name of the report, or of the group, that it waits for."""
        return f"{self.reporter}/{self.reverses.removeprefix(GROUP_MARK)}"

    def awaits(self, reporter: str, report_id: str, group: str) -> bool:
        """Tell if a report, or one of its group, is what it waits for."""
        named = group_in_state(group) if group else ""
        return reporter == self.reporter and self.reverses in (report_id, named)

    @property
    def name(self) -> str:
        """Give the reversal's own name."""
        return f"{self.reporter}/{self.report_id}"


_SEEN_TYPES = {"P", "I", "C", "R", "O", "?", "F", "N", "G", "M"}
_GROUPED = {"-": "+", "x": "X"}
"""The second letter of the memory of a report with a group, by that of one without."""


class SeenReport(NamedTuple):
    """The memory of a report id.

    `type` is the report's kind: P, I, C, R; O for an opening row; `?` where only its reversal
    came; G for a group, M for a report of it. `place` says where its content is: the month of its
    line, or the content itself where it has no line. `group` is the report's group, or "".
    """

    type: str
    reversed: bool
    place: str
    group: str = ""

    def encode(self) -> bytes:
        r"""Write type, `x` if reversed or else `-`, and place.

        With a group it is `X` or `+`, and the group follows on a line of its own. A version that
        does not know groups refuses that as foreign.

        >>> SeenReport("P", True, "24289").encode()
        b'Px24289'
        >>> SeenReport("P", False, "24289", "A-1").encode()
        b'P+24289\nA-1'
        """
        type_, is_reversed, place, group = self
        mark = "x" if is_reversed else "-"
        if group:
            return f"{type_}{_GROUPED[mark]}{place}\n{group}".encode()
        return f"{type_}{mark}{place}".encode()

    @classmethod
    def decode(cls, value: bytes) -> "SeenReport":
        """Read what `encode` has written. Raises StateError."""
        text = value.decode(errors="replace")
        if text[:1] in _SEEN_TYPES:
            if text[1:2] in ("x", "-"):
                return cls(text[:1], text[1:2] == "x", text[2:])
            place, _, group = text[2:].partition("\n")
            if text[1:2] in ("X", "+") and group:
                return cls(text[:1], text[1:2] == "X", place, group)
        raise StateError("the memory of a report has another form than ours")


GROUP_MARK = "\t"
"""Stands before the name of a group where an id could stand: no id has it."""


def group_in_state(group: str) -> str:
    """Give a group's name as it stands in the state where an id could stand."""
    return GROUP_MARK + group


WAITING = SeenReport("?", True, "")
"""The memory of a report whose reversal came before it."""


FREED = "F"
"""The type of an id that was freed; its place is the content that it had, which is not believed."""
FREED_LINE = "\x7f"
"""End of the report id of a line whose id was freed: no report has such an id."""
CAME_AGAIN = "again/"
"""Prefix of the key under which it is remembered that a reversed report has come again."""
NOTICED = SeenReport("N", False, "")
"""The memory of a notice that is given once."""


class _StoredPart(Struct, array_like=True, gc=False):
    format: int
    lines: list[Line]
    incomes: list[IncomeLine]
    groups: list[Group]
    openings: list[OpeningRow] = []


class Part(Struct, eq=False, gc=False):
    """One month of a citizen: lines, incomes, and cells by money code and municipalities."""

    month: int
    lines: list[Line]
    incomes: list[IncomeLine]
    groups: list[Group]
    openings: Sequence[OpeningRow] = ()

    def encode(self) -> bytes:
        """Write the part as JSON."""
        value = (FORMAT, self.lines, self.incomes, self.groups)
        written = encode((*value, self.openings) if self.openings else value)
        return written.replace(_ROW_OF_NONE, b"]")

    @classmethod
    def decode(cls, month: int, value: bytes) -> "Part":
        """Read what `encode` has written."""
        stored = decode(_PARTS, value)
        if stored.format != FORMAT:
            check_format(stored.format)
        return cls(month, stored.lines, stored.incomes, stored.groups, stored.openings)

    def group(self, code: str, paying: str | None, financing: str | None) -> Group:
        """Give the group of a money code and its municipalities, made where there is none."""
        for group in self.groups:
            if group.code == code and group.paying == paying and group.financing == financing:
                return group
        self.groups.append(group := Group(code, paying, financing, []))
        return group

    def cells_of(self, code: str) -> Iterator[Cell]:
        """Give all cells of a money code, of any municipality."""
        for group in self.groups:
            if group.code == code:
                yield from group.cells

    def lines_of(self, type_: str, reporter: str, report_id: str) -> Iterator[Line | IncomeLine]:
        """Give the line of a report id, if the month has one; `type_` as in `SeenReport`."""
        lines: Sequence[Line | IncomeLine] = self.incomes if type_ == "I" else self.lines
        for line in lines:
            if line.report_id == report_id and line.reporter == reporter:
                yield line
                return


encode = Encoder().encode
"""Write a record as JSON, in bytes of its exact size."""

_PARTS = Decoder(_StoredPart)

Stored = TypeVar("Stored")


def decode(records: Decoder[Stored], value: bytes) -> Stored:
    """Read a record. Raises NewerStateError where a newer version has written it, or StateError."""
    try:
        return records.decode(value)
    except ValidationError:
        check_format(_format_of(value))
        raise StateError("an entry of the state has another form than ours") from None
    except (DecodeError, UnicodeDecodeError, RecursionError):
        raise StateError("an entry of the state is no JSON") from None


def _format_of(value: bytes) -> int:
    """Give the format that a record states; this version's where it states none."""
    try:
        stated = orjson.loads(value)[0]
    except (ValueError, LookupError, TypeError):
        return FORMAT
    return stated if isinstance(stated, int) else FORMAT


def check_format(number: int) -> None:
    """Raise NewerStateError for a format of state that this version does not know."""
    if number > FORMAT:
        told = f"format {number}" if number <= LARGEST_TOLD else "a format with too many digits"
        raise NewerStateError(
            f"the state has {told}, this program knows formats up to {FORMAT}:"
            " a newer version has written it;"
            " run that version, or make the state anew from the journal"
        )
