"""Converts tables of anybody's own form into reports, by a mapping.

A report is checked by the rules of the edge before it is written, so that what intake would refuse
is told here with its row, its column and the line of the mapping.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import IO, Any, Final

import orjson

from streams.citizens.register_file import make_validator
from streams.citizens.rule_sets import LawBook
from streams.settings import Settings
from streams.upstream.cell_values import ReportValue
from streams.upstream.column_map import TableMapping
from streams.upstream.refund_lines import Refused, content_letters
from streams.upstream.sources import DAMAGED, DAMAGED_SENTENCE, sources
from streams.upstream.table_rows import MappedRow, cell_of, rows_of
from streams.wire.rejections import Rejection

ENDINGS: Final = (".csv", ".json", ".jsonl", ".csv.gz", ".json.gz", ".jsonl.gz", ".zip")
"""Files of a folder that are read."""
_NO_CONTENT: Final = frozenset({"schema", "reported_at", "cpr"})
MappedReport = dict[str, ReportValue]


class TableTotals:
    """The closing summary: rows in, reports out, and what became of each øre."""

    def __init__(self) -> None:
        self.rows = 0
        self.in_ore = 0
        self.reports: Counter[str] = Counter()
        self.out_ore: Counter[str] = Counter()
        self.rejects: Counter[str] = Counter()
        self.rejected_ore = 0

    def take(self, report: MappedReport) -> None:
        """Count a report."""
        name = str(report.get("benefit", report["type"]))
        self.reports[name] += 1
        if ore := _money_of(report):
            self.out_ore[name] += ore

    def as_object(self) -> dict[str, Any]:
        """Return the summary as JSON has it."""
        return {
            "rows": self.rows,
            "reports": dict(sorted(self.reports.items())),
            "rejects": dict(sorted(self.rejects.items())),
            "in_ore": self.in_ore,
            "out_ore": dict(sorted(self.out_ore.items())),
            "rejected_ore": self.rejected_ore,
            "difference_ore": self.in_ore - self.out_ore.total() - self.rejected_ore,
        }

    def sentences(self) -> Iterator[str]:
        """Yield the summary in words."""
        told = self.as_object()
        yield (
            f"{self.rows} rows: {self.reports.total()} reports, {self.rejects.total()} rejects;"
            f" money in {self.in_ore} øre, out {self.out_ore.total()}, rejected"
            f" {self.rejected_ore}; left {told['difference_ore']}"
        )
        for name in ("reports", "rejects"):
            if told[name]:
                yield f"{name}: {', '.join(f'{key} {n}' for key, n in told[name].items())}"


class TableConversion:
    """Converts files one after the other; reports go to `out`, what is refused to `rejects`."""

    def __init__(
        self, settings: Settings, mapping: TableMapping, out: IO[bytes], rejects: IO[bytes] | None
    ) -> None:
        self._validator = make_validator(settings, LawBook(settings.rules).catalogue())
        self._mapping = mapping
        self._columns = {each.field: each.column for each in mapping.columns}
        self._seen: Counter[tuple[str, ReportValue | None]] = Counter()
        self._out, self._rejects = out, rejects
        self.totals = TableTotals()

    def convert(self, names: Sequence[str]) -> None:
        """Convert all files. Raises UserError where a table is not as the mapping says."""
        for name in names:
            for label, source in sources(name, ENDINGS):
                try:
                    with source as file:
                        for row in rows_of(file, self._mapping):
                            self._convert_row(label, row)
                except DAMAGED:
                    self._reject(label, 0, Refused("bad_archive", "", DAMAGED_SENTENCE))

    def _convert_row(self, label: str, row: MappedRow) -> None:
        self.totals.rows += 1
        if row.refused is not None:
            self._reject(label, row.number, row.refused)
            return
        report: MappedReport = {"schema": 2, **self._mapping.constants}
        found: Refused | None = None
        for column in self._mapping.columns:
            try:
                value = column.value_of(cell_of(row, column))
            except Refused as refused:
                found = found or refused
                continue
            if value is not None:
                report[column.field] = value
        ore = _money_of(report)
        self.totals.in_ore += ore
        found = found or self._judged(report)
        if found is not None:
            self.totals.rejected_ore += ore
            self._reject(label, row.number, found)
            return
        self._out.write(orjson.dumps(report) + b"\n")
        self.totals.take(report)

    def _judged(self, report: MappedReport) -> Refused | None:
        """Give an id to a report that has none, and tell why the edge refuses it, if it does."""
        if "report_id" not in report:
            report["report_id"] = self._id_of(report)
        outcome = self._validator.parse(orjson.dumps(report))
        if isinstance(outcome, Rejection):
            return Refused(outcome.reason, outcome.field or "", outcome.detail)
        return None

    def _id_of(self, report: MappedReport) -> str:
        """Make an id from content: the same rows give the same ids, whatever their order.

        The person's number is left out: who knows the rest could try all numbers.
        """
        content = sorted((name, each) for name, each in report.items() if name not in _NO_CONTENT)
        letters = content_letters(content)
        of_person = letters, report.get("cpr")
        self._seen[of_person] += 1
        return f"table-{letters}-{self._seen[of_person]}"

    def _reject(self, label: str, row: int, refused: Refused) -> None:
        self.totals.rejects[refused.reason] += 1
        if self._rejects is None:
            return
        field = refused.field or None
        line = self._mapping.lines.get(refused.field)
        told = {
            "file": label,
            "row": row,
            "column": self._columns.get(refused.field),
            "mapping_line": line,
            "reason": refused.reason,
            "field": field,
            "detail": str(refused),
        }
        self._rejects.write(orjson.dumps(told) + b"\n")


def _money_of(report: MappedReport) -> int:
    return int(report.get("amount_ore", 0))
