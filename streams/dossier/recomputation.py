"""Settles a citizen of the sample again, from the records in a package alone.

It is done three times, each apart from the others: by the program (`streams/citizens`), by the
audit of rows, sums and links (`projections/audit`), and by the reference computation
(`domain/oracle`). Making a package and checking it do the same.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import orjson

from domain.citizen.reports import CitizenRecord, Copy, Freeing, Opening
from domain.oracle import reference
from domain.ruledata.ruleset import RuleSet
from projections.audit.accounts import Account, Figures, RowCell
from projections.audit.deep import differences
from projections.audit.partition import CATALOGUE, PartitionAudit
from projections.audit.scope import AuditScope
from streams.audit.partition import CPRS
from streams.citizens.refold import Refolding
from streams.citizens.rule_sets import DEFAULT, LawBook
from streams.citizens.store_port import MemoryStore
from streams.engine.ports import Record
from streams.explain.placed import PlacedRecord, standing_of
from streams.explain.why import Evidence, Grounds
from streams.kit.catalogue import Catalogue, dumped
from streams.kit.errors import UserError
from streams.wire import journal
from streams.wire.cloudevents import source_offset
from streams.wire.partitioner import partition_of

NO_SEAL: Final = "k00000000." + "A" * 35
"""Stands where a record has the sealed CPR number, which no package holds."""


class PlainRecord(NamedTuple):
    """A record as a package has it: its value is JSON, without the sealed CPR number."""

    offset: int
    key: str
    value: Any
    headers: list[list[str]]

    @classmethod
    def of(cls, record: Record) -> "PlainRecord":
        """Make it of a record of a topic."""
        value = without_seals(orjson.loads(record.value or b""))
        headers = [[name, (text or b"").decode("latin-1")] for name, text in record.headers]
        return cls(record.offset, (record.key or b"").decode(), value, headers)

    @property
    def parts(self) -> tuple[bytes | None, bytes, list[tuple[str, bytes]]]:
        """Return key, value and headers in bytes."""
        headers = [(name, text.encode("latin-1")) for name, text in self.headers]
        return self.key.encode() or None, orjson.dumps(self.value), headers


def without_seals(value: Any) -> Any:
    """Return JSON without sealed CPR numbers.

    >>> without_seals({"cpr_sealed": "k1.x", "rows": []})["rows"]
    []
    """
    if isinstance(value, dict):
        return {
            name: NO_SEAL if name == "cpr_sealed" else without_seals(each)
            for name, each in value.items()
        }
    return [without_seals(each) for each in value] if isinstance(value, list) else value


class PartitionControls(NamedTuple):
    """The control records of a partition, and the markers of runs in its postings."""

    journal: list[PlainRecord]
    postings: list[PlainRecord]


class SampledCitizen(NamedTuple):
    """A citizen who was drawn for a municipality, with all records up to the run's marker."""

    municipality: str
    citizen: str
    partition: int
    journal: list[PlainRecord]
    postings: list[PlainRecord]


class SampledRow(NamedTuple):
    """A row that stands, and what the reference computation has in its cell, in øre."""

    cell: RowCell
    ordinal: int
    mechanism: str
    rate: int
    account: str
    amount_ore: int
    result_ore: int
    reference_ore: int | None


class Recomputed(NamedTuple):
    """The outcome: sentences about all that differs, the rows, and the explanation as JSON."""

    findings: list[str]
    rows: list[SampledRow]
    explanation: str


class Recomputation:
    """Settles citizens again under the rule sets that are known here."""

    def __init__(self, laws: LawBook, partitions: int, journal_topic: str) -> None:
        self._laws, self._partitions, self._journal_topic = laws, partitions, journal_topic

    def of(self, sample: SampledCitizen, controls: PartitionControls) -> Recomputed:
        """Settle a citizen again, with the control records of its partition."""
        records = _in_order(controls.journal, sample.journal)
        findings = [*self._unlike_postings(sample, records)]
        audit = self._audit(sample, records, _in_order(controls.postings, sample.postings))
        findings += [violation.text for violation in audit.violations.named]
        account = audit.accounts.get(sample.citizen, Account())
        rules = self._laws.law(account.rules or DEFAULT).rules
        findings += [text for _, text in differences(account, rules)]
        rows = _rows(account, rules)
        return Recomputed(
            [f"citizen {sample.citizen}: {text}" for text in findings],
            rows,
            self._explanation(sample, records, account.rules or DEFAULT),
        )

    def _unlike_postings(self, sample: SampledCitizen, records: Sequence[PlainRecord]) -> list[str]:
        """Say where the program posts something else than was booked."""
        entries = [(record.offset, journal.decode(*record.parts[:2])) for record in records]
        messages = [
            (offset, without_seals(orjson.loads(message)))
            for offset, message in Refolding(self._laws, MemoryStore()).fold(entries)
        ]
        anew = [each for each in messages if each[1].get("citizen") == sample.citizen]
        booked = [(source_offset(posting.parts[2]), posting.value) for posting in sample.postings]
        if anew == booked:
            return []
        if len(anew) != len(booked):
            return [f"{len(booked)} messages are booked, and {len(anew)} come out anew"]
        at = next(
            at for at, pair in enumerate(zip(anew, booked, strict=True)) if pair[0] != pair[1]
        )
        return [f"message {at + 1} of {len(booked)} comes out otherwise than it is booked"]

    def _audit(
        self,
        sample: SampledCitizen,
        records: Sequence[PlainRecord],
        postings: Sequence[PlainRecord],
    ) -> PartitionAudit:
        scope = AuditScope(
            self._journal_topic, "", self._partitions, records[-1].offset + 1, frozenset(), False,
            lambda _key: True, partition_of, None, CPRS,
        )  # fmt: skip
        audit = PartitionAudit(scope, sample.partition, self._rules_named)
        for record in records:
            audit.journal(record.offset, *record.parts)
        for posting in postings:
            audit.posting(posting.offset, *posting.parts)
        audit.end()
        return audit

    def _rules_named(self, name: str) -> RuleSet | None:
        """The rule set of a name, or all benefits; None where it is not known here."""
        try:
            return self._laws.catalogue() if name == CATALOGUE else self._laws.law(name).rules
        except UserError:
            return None

    def _explanation(
        self, sample: SampledCitizen, records: Sequence[PlainRecord], rules: str
    ) -> str:
        """Explain the citizen's life in Danish; where nobody can, say so."""
        placed = [
            placed for record in records if (placed := _placed(record, sample.citizen)) is not None
        ]
        try:
            reports = [each.report for each in standing_of(sample.citizen, placed)]
        except UserError as error:
            return dumped({"error": str(error)}, Catalogue("da"))
        evidence = Evidence(sample.citizen, reports, [], [], {}, rules)
        life = Grounds.of(self._laws.law(rules), evidence).life()
        return dumped(life, Catalogue("da"))


def _in_order(*records: Sequence[PlainRecord]) -> list[PlainRecord]:
    return sorted((each for some in records for each in some), key=lambda each: each.offset)


def _placed(record: PlainRecord, citizen: str) -> PlacedRecord | None:
    """Return a citizen's report, or what frees an id of the citizen."""
    key, value, _ = record.parts
    content = journal.decode(key, value).report
    if isinstance(content, Freeing):
        return PlacedRecord(record.offset, content) if content.citizen == citizen else None
    plain = content.report if isinstance(content, Copy) else content
    is_report = isinstance(content, CitizenRecord) and not isinstance(plain, Opening)
    return PlacedRecord(record.offset, content) if is_report else None  # type: ignore[arg-type]


def _rows(account: Account, rules: RuleSet) -> list[SampledRow]:
    reports: list[Mapping[str, Any]] = [orjson.loads(report) for report in account.reports]
    known = [each for each in reports if each.get("benefit") in {*rules.benefits, None}]
    truth = {
        RowCell(row["month"], row["week"], row["benefit"], row["paying"], row["financing"]): row
        for row in reference.settle([dict(each) for each in known], rules).rows
    }
    cells = sorted(account.standing, key=lambda cell: tuple(part or "" for part in cell))
    return [_row(cell, account.standing[cell].figures, truth.get(cell)) for cell in cells]


def _row(cell: RowCell, figures: Figures, truth: Mapping[str, Any] | None) -> SampledRow:
    mechanism, rate, account = figures.terms
    expected = truth["refusion_ore"] + truth["medfinansiering_ore"] if truth else None
    return SampledRow(
        cell, figures.ordinal, mechanism, rate, account or "",
        figures.amount_ore, figures.result_ore, expected,
    )  # fmt: skip
