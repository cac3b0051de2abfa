"""Converts files of answers: XML, packed with gzip or ZIP, folders of them, standard input."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import IO, Any, Final

import orjson

from streams.citizens.rule_sets import LawBook
from streams.settings import Settings
from streams.upstream.answers import AnswerReader, ReportedPeriod
from streams.upstream.kept_lines import KeptLines
from streams.upstream.lines import ASIDE, LineConverter, PeriodReports
from streams.upstream.tables import UpstreamTables
from streams.upstream.xml_files import XmlFiles

FACTS: Final = "facts.jsonl"
NOT_REPORTED: Final = ("rejected", "reversals", "not_for_refusion", "beside_16300", ASIDE)
"""Names of the money that no report has, by what became of it."""
WAGE: Final = "wage"
ASIDE_FIELDS: Final = (("atp", "atp_ore"), ("pension", "pension_ore"))
"""The money that a report has beside its amount, with the names that it has in the summary."""
_LINE: Final = orjson.OPT_APPEND_NEWLINE


class ConversionTotals:
    """The closing summary: what came in, what went out, and what became of each øre."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.told: Counter[str] = Counter()
        self.rejects: Counter[str] = Counter()
        self.money_in: Counter[str] = Counter()
        self.money_out: Counter[str] = Counter()

    def take(self, made: PeriodReports) -> None:
        """Add up a period: all money of its blankets, what no report has, and its reports.

        Money out is that of the reports that are written, so that the difference can tell.
        """
        parts = (self.told, made.told), (self.money_in, made.held), (self.money_out, made.explained)
        for total, part in parts:
            for name, number in part.items():
                total[name] += number
        for report in made.reports:
            if "amount_ore" in report:
                self.money_out[report.get("benefit") or WAGE] += report["amount_ore"]
                for name, field in ASIDE_FIELDS:
                    self.money_out[name] += report.get(field, 0)

    def told_by(self, name: str) -> dict[str, int]:
        """Return what was counted under a name, by what follows it."""
        return {
            key.removeprefix(f"{name} "): number
            for key, number in sorted(self.told.items())
            if key.startswith(f"{name} ")
        }

    def as_object(self) -> dict[str, Any]:
        """Return the summary as JSON has it."""
        blankets = {
            name.removeprefix("blanket "): number
            for name, number in sorted(self.counts.items())
            if name.startswith("blanket ")
        }
        return {
            "messages": self.counts["messages"],
            "persons": self.counts["persons"],
            "periods": self.counts["periods"],
            "errors": self.counts["errors"],
            "blankets": blankets,
            "unknown_blankets": self.told_by("unknown_blanket"),
            "unknown_fields": self.told_by("unknown_field"),
            "reports": {
                "benefit_payment": self.told_by("benefit_payment"),
                "income": self.told_by("income"),
                "reversal": self.told["reversal"],
                "passed_through": self.told["passed_through"],
            },
            "mapped_by_type": self.told_by("mapped_by_type"),
            "wage_period_used": self.told["wage_period_used"],
            "split_periods": self.told["split_periods"],
            "lines_without_16300": self.told["lines_without_16300"],
            "replaced_lines": self.told["replaced_lines"],
            "unreadable_amounts": self.told["unreadable_amounts"],
            "rejects": dict(sorted(self.rejects.items())),
            "in_ore": dict(sorted(self.money_in.items())),
            "out_ore": {k: v for k, v in sorted(self.money_out.items()) if k not in NOT_REPORTED},
            "explained_ore": {name: self.money_out[name] for name in NOT_REPORTED},
            "difference_ore": self.money_in.total() - self.money_out.total(),
        }

    def sentences(self) -> Iterator[str]:
        """Yield the summary in words."""
        found = self.as_object()
        reports = found["reports"]
        yield (
            f"{found['messages']} answers, {found['persons']} persons, {found['periods']} reported"
            f" periods: {sum(reports['benefit_payment'].values())} payments,"
            f" {sum(reports['income'].values())} incomes, {reports['reversal']} reversals,"
            f" {reports['passed_through']} passed through, {self.rejects.total()} rejects"
        )
        into, out = sum(found["in_ore"].values()), sum(found["out_ore"].values())
        explained = ", ".join(f"{name} {ore}" for name, ore in found["explained_ore"].items())
        yield f"money in {into} øre, out {out}; {explained}; left {found['difference_ore']}"
        for name in ("unknown_blankets", "unknown_fields", "mapped_by_type", "rejects"):
            if found[name]:
                words = ", ".join(f"{key} {number}" for key, number in found[name].items())
                yield f"{name}: {words}"
        for name in (
            "wage_period_used", "split_periods", "lines_without_16300", "replaced_lines",
            "unreadable_amounts", "errors",
        ):  # fmt: skip
            if found[name]:
                yield f"{name}: {found[name]}"


class AnswerConversion(XmlFiles):
    """Converts files one after the other; reports go to `out`, what is refused to `rejects`."""

    def __init__(
        self, settings: Settings, tables: UpstreamTables, out: IO[bytes], rejects: IO[bytes] | None
    ) -> None:
        tables.reversed_report  # noqa: B018 - it refuses to start where this is not set
        self._catalogue = LawBook(settings.rules).catalogue().benefits
        self._demo = settings.accepts_sixty
        self._tables = tables
        self._out = out
        self.totals = ConversionTotals()
        super().__init__(rejects, self.totals)

    def convert(self, names: Sequence[str]) -> None:
        """Convert all files, and pass the reports of `facts.jsonl` through.

        What lines have become is kept when all is written. Raises UserError.
        """
        with KeptLines(self._tables.own_folder) as kept:
            self._lines = LineConverter(self._tables, self._catalogue, kept, demo=self._demo)
            self._read_files(names)
            self._pass_facts_through()
            self._out.flush()

    def _pass_facts_through(self) -> None:
        if (path := self._tables.own_folder / FACTS).is_file():
            with path.open("rb") as file:
                for line in filter(bytes.strip, file):
                    self._out.write(line.rstrip(b"\r\n") + b"\n")
                    self.totals.told["passed_through"] += 1

    def _reader(self) -> AnswerReader:
        return AnswerReader(self._take)

    def _read_file(self, label: str, source: Any) -> None:
        super()._read_file(label, source)
        self._write(self._lines.end_person())

    def _take(self, period: ReportedPeriod) -> None:
        self._write(self._lines.convert(period))

    def _write(self, converted: Iterator[tuple[int, PeriodReports]]) -> None:
        for line, made in converted:
            if made.reports:
                lines = [orjson.dumps(each, None, _LINE) for each in made.reports]
                self._out.write(b"".join(lines))
            self.totals.take(made)
            for refused in made.refused:
                self._reject(line, refused.reason, refused.field, str(refused))
