"""The audit of one partition: what stands in the journal and in the postings, held against each other.

It shares no code with what wrote the records: row ids, rounding, revisions and links are worked out
here once more. The journal of a partition is taken first, then its postings, each record once and
in order:

    audit = PartitionAudit(scope, partition, rules_named)
    audit.journal(offset, key, value, headers)   ... every record
    audit.posting(offset, key, value, headers)   ... every record
    audit.end()                                  what is missing, and the sums
    audit.found                                  the violations

A record that cannot be read is a violation of its own, and the audit goes on. Memory grows with the
citizens that it is given: about 300 bytes for each row that stands, and as much for each report.
"""

from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from hashlib import blake2b
from typing import Any, Final, NamedTuple

import orjson

from domain.law.old_cases import TRANSITIONAL
from domain.ruledata.ruleset import Benefit, RuleSet
from projections.audit.records import (
    POSTING_HEADERS,
    BadRecordError,
    Code,
    Found,
    Headers,
    Violation,
    as_bad,
    check_headers,
    check_opening,
    check_report,
    check_sealed,
    citizen_of,
    cpr_candidates,
    json_object,
    raw_position,
    source_offset,
)

Cell = tuple[str, str, str, str | None, str | None]
Terms = tuple[str, int, str | None]
"""Mechanism, rate and account."""
Figures = tuple[int, int, int, Terms, int]
"""Amount, ATP, ordinal, terms and result of a row."""
RulesNamed = Callable[[str], RuleSet | None]
"""The rule set of a name, None for one that is not known."""

CATALOGUE: Final = "R-1"
CONTROL_TYPES: Final = ("run", "rules", "recalculate")
OPENING: Final = "opening"
REASONS: Final = (
    "report",
    "adjustment",
    "reversal",
    "late_report",
    "recalculation",
    "rule_change",
    OPENING,
)
OF_CLOSED_MONTHS: Final = ("late_report", "recalculation", "rule_change", OPENING)
ANEW: Final = ("recalculation", "rule_change")
"""Reasons of messages that no report of the citizen led to by itself."""
SUMS_FROM: Final = "2016-01-04"
"""A payment whose period begins on this day or later is settled to the øre: each of its slices has a rate."""
FLEKSBIDRAG: Final = "FB"
_MESSAGE_FIELDS: Final = {
    "schema", "type", "citizen", "revision", "cause", "reason", "rules", "cpr_sealed", "counters", "rows",
}  # fmt: skip
_ROW_FIELDS: Final = 14
"""Besides `reverses` and `atp_ore`."""
_POSITION_BITS: Final = 20


class Scope(NamedTuple):
    """What is audited, and what is known beforehand. `settled_to` is where the citizens stage goes on.

    `refused` are the offsets of the journal that became dead letters. `first` is the audit of all citizens of a
    partition, or of the first slice: what is wrong with records of no citizen, which all are given, is said there.
    `deep` says of whose key the reports are kept for a deep audit. `partition_of` and `pseudonym` are the system's own;
    without the key there is no pseudonym.
    """

    journal_topic: str
    postings_topic: str
    partitions: int
    settled_to: int
    refused: frozenset[int]
    first: bool
    deep: Callable[[bytes], bool]
    partition_of: Callable[[bytes, int], int]
    pseudonym: Callable[[str], str] | None


@dataclass(slots=True)
class Account:
    """What the audit knows of one citizen.

    `standing`: by cell the place of its standing row (revision and position in one number) and its figures.
    `payments`: by name benefit and base of each payment that can be summed; `unsummed` are the benefits that
    cannot. `known` are the names of all reports, `reversed` those that a reversal names. `opened` are the cells in
    which an earlier system's row stands.
    """

    revision: int = 0
    offset: int = -1
    rules: str = ""
    counters: dict[str, Any] | None = None
    standing: dict[Cell, tuple[int, Figures]] = field(default_factory=dict)
    payments: dict[str, tuple[str, int]] = field(default_factory=dict)
    unsummed: set[str] = field(default_factory=set)
    known: set[str] = field(default_factory=set)
    opened: set[Cell] = field(default_factory=set)
    reversed: set[str] = field(default_factory=set)
    reports: list[bytes] = field(default_factory=list)


class _Source(NamedTuple):
    """A record of the journal that may have led to a posting. Control records have no citizen."""

    citizen: str
    cause: str
    must_post: bool


class PartitionAudit:
    """See the module."""

    def __init__(self, scope: Scope, partition: int, rules_named: RulesNamed) -> None:
        self.scope = scope
        self.partition = partition
        self.found = Found()
        self.accounts: dict[str, Account] = {}
        self.control: list[tuple[int, bytes]] = []
        """Offset and value of the journal's control records."""
        self.raw: defaultdict[tuple[str, int], array[int]] = defaultdict(lambda: array("q"))
        """Offsets of the raw records that stand in this journal, by topic and partition."""
        self.totals = Counter[str]()
        catalogue = rules_named(CATALOGUE)
        assert catalogue is not None, "the program's own rule set is known"
        self._catalogue = catalogue
        self._rows = RowChecks(catalogue, rules_named, self.found)
        self._sources: dict[int, _Source] = {}
        self._markers: list[tuple[int, bytes]] = []
        self._last_source = -1
        self._closed_month = ""
        self._right_partition: dict[bytes, bool] = {}

    # --- the journal ------------------------------------------------------------------------------

    def journal(
        self, offset: int, key: bytes | None, value: bytes | None, headers: Headers
    ) -> None:
        """A record of the journal."""
        try:
            record = json_object(value)
            if key and record["type"] == OPENING:
                self._opening(offset, self._citizen(key), record, headers)
            elif key:
                self._report(offset, self._citizen(key), record, value or b"", headers)
            else:
                self._control(offset, record, value or b"")
        except Exception as error:  # noqa: BLE001 - all but defects of ours are violations
            self._bad(self.scope.journal_topic, offset, as_bad(error), (key, value, headers))

    def _control(self, offset: int, record: dict[str, Any], value: bytes) -> None:
        if record["type"] not in CONTROL_TYPES:
            raise BadRecordError("key", "a record without a citizen that is no control record")
        if any(cpr_candidates(value)):
            raise BadRecordError("cpr", "a control record holds what looks like a CPR number")
        self.control.append((offset, value))
        self._sources[offset] = _Source("", "", must_post=False)

    def _opening(self, offset: int, citizen: str, record: dict[str, Any], headers: Headers) -> None:
        name = check_opening(record, headers)
        if offset >= self.scope.settled_to or offset in self.scope.refused:
            return
        account = self.accounts.get(citizen) or self._account(citizen)
        self._sources[offset] = _Source(citizen, name, must_post=name not in account.known)
        account.known.add(name)

    def _report(
        self, offset: int, citizen: str, record: dict[str, Any], value: bytes, headers: Headers
    ) -> None:
        check_report(record, self._catalogue)
        topic, partition, raw_offset = raw_position(record, headers)
        self.raw[topic, partition].append(raw_offset)
        self._look_for_cpr(offset, citizen, record["report_id"])
        if offset >= self.scope.settled_to or offset in self.scope.refused:
            return
        account = self.accounts.get(citizen) or self._account(citizen)
        name = f"{record['reporter']}/{record['report_id']}"
        must_post = name not in account.known and self._enter(
            offset, citizen, account, name, record
        )
        account.known.add(name)
        if self.scope.deep(citizen.encode()):
            account.reports.append(value)
        self._sources[offset] = _Source(citizen, name, must_post)

    def _enter(
        self, offset: int, citizen: str, account: Account, name: str, record: dict[str, Any]
    ) -> bool:
        """Enter a report that came for the first time. Whether it must have changed a row."""
        if record["type"] == "reversal":
            account.reversed.add(f"{record['reporter']}/{record['reverses']}")
            self._look_for_cpr(offset, citizen, record["reverses"])
            return False
        if record["type"] != "benefit_payment" or record["outside_act"]:
            return False
        code = record["benefit"]
        benefit = self._catalogue.benefits[code]
        if benefit.mechanism is None or code in TRANSITIONAL:
            return False
        if record["period_start"] < SUMS_FROM:
            account.unsummed.add(code)
            return False
        base_ore: int = record["amount_ore"] - (record["atp_ore"] if benefit.atp_deducted else 0)
        account.payments[name] = (code, base_ore)
        return base_ore != 0 and name not in account.reversed

    # --- the postings -----------------------------------------------------------------------------

    def posting(
        self, offset: int, key: bytes | None, value: bytes | None, headers: Headers
    ) -> None:
        """A record of the postings; one that follows from what was not yet settled is passed over."""
        try:
            source = source_offset(headers, self.scope.journal_topic, self.partition)
            if source >= self.scope.settled_to:
                return
            if source < self._last_source and (key or self.scope.first):
                self._say(
                    "order", offset, "it follows from an earlier record than the posting before it"
                )
            self._last_source = source
            check_headers(headers, POSTING_HEADERS)
            message = json_object(value)
            if key:
                self._message(offset, source, self._citizen(key), message)
            else:
                self._marker(offset, message, value or b"")
        except Exception as error:  # noqa: BLE001 - all but defects of ours are violations
            self._bad(self.scope.postings_topic, offset, as_bad(error), (key, value, headers))

    def _marker(self, offset: int, marker: dict[str, Any], value: bytes) -> None:
        if marker["type"] != "run":
            raise BadRecordError("key", "a record without a citizen that is no run marker")
        self._markers.append((offset, value))
        self._closed_month = max(self._closed_month, marker["data_month"])

    def _message(self, offset: int, source: int, citizen: str, message: dict[str, Any]) -> None:
        if (
            message.keys() != _MESSAGE_FIELDS
            or message["schema"] != 1
            or message["type"] != "postings"
        ):
            raise BadRecordError(
                "format", "not a posting message of schema 1 with exactly its fields"
            )
        if message["citizen"] != citizen:
            raise BadRecordError("key", "the key is not the message's citizen")
        account = self.accounts.get(citizen) or self._account(citizen)
        revision, reason, rows = message["revision"], message["reason"], message["rows"]
        if revision != account.revision + 1:
            self._say(
                "revision",
                offset,
                f"revision {revision} of citizen {citizen} comes after {account.revision}",
            )
            if revision <= account.revision:
                return  # what comes again is not counted again
        account.revision, account.offset = revision, offset
        account.counters, account.rules = message["counters"], message["rules"]
        check_sealed(message["cpr_sealed"])
        self._check_cause(offset, source, citizen, message)
        self._take_rows(offset, citizen, account, message["rules"], rows)
        self._check_reason(offset, reason, rows)

    def _check_cause(self, offset: int, source: int, citizen: str, message: dict[str, Any]) -> None:
        """Each message follows from the report that it names; two follow from none, but for another law."""
        if message["reason"] in ANEW:
            if source not in self._sources:
                self._say(
                    "cause", offset, f"the journal has no record {source}, from which it follows"
                )
            return
        known = self._sources.pop(source, None)
        if known is None or known.citizen != citizen or known.cause != message["cause"]:
            self._say(
                "cause", offset, f"record {source} of the journal is not the report that it names"
            )

    def _check_reason(self, offset: int, reason: str, rows: Sequence[dict[str, Any]]) -> None:
        """A closed month changes only for a reason that says so (invariant 11), and nothing else is late."""
        closed = self._closed_month
        changes_closed = bool(closed) and any(row["month"] <= closed for row in rows)
        if reason not in REASONS:
            self._say("reason", offset, "its reason is none of those of a posting")
        elif changes_closed and reason not in OF_CLOSED_MONTHS:
            self._say("reason", offset, f"it changes a closed month with the reason {reason}")
        elif reason == "late_report" and not changes_closed:
            self._say("reason", offset, "it says late_report and changes no closed month")

    def _take_rows(
        self,
        offset: int,
        citizen: str,
        account: Account,
        rules: str,
        rows: Sequence[dict[str, Any]],
    ) -> None:
        """The rows of a message, one after the other: an id each, and what it does to the row that stood."""
        digest = blake2b(f"{citizen}/{account.revision}".encode(), digest_size=12).hexdigest()
        standing, totals = account.standing, self.totals
        gone: tuple[Cell, Figures] | None = None
        for position, row in enumerate(rows):
            cell, figures, wrong = self._rows.read(row, rules)
            if wrong:
                self._say("figures", offset, f"row {position}: {wrong}")
            if row["id"] != f"{digest}{position}":
                self._say(
                    "id",
                    offset,
                    f"row {position} does not have the id of its citizen, revision and position",
                )
            stood = standing.pop(cell, None)
            account.opened.discard(cell)
            if "reverses" in row:
                self._check_reversing(offset, citizen, row, figures, stood)
                gone = (cell, stood[1]) if stood else None
            else:
                self._check_new(
                    offset, position, row["kind"], stood is not None, (cell, figures), gone
                )
                standing[cell] = (account.revision << _POSITION_BITS | position, figures)
                gone = None
                if row["kind"] == OPENING:
                    account.opened.add(cell)
            totals["amount_ore"] += figures[0]
            totals[figures[3][0]] += figures[4]
        totals["messages"] += 1
        totals["rows"] += len(rows)

    def _check_reversing(
        self,
        offset: int,
        citizen: str,
        row: dict[str, Any],
        figures: Figures,
        stood: tuple[int, Figures] | None,
    ) -> None:
        """A reversing row names the cell's standing row and is that row, negated."""
        if stood is None:
            self._say("link", offset, f"row {row['id']} reverses a row that does not stand")
            return
        place, (amount_ore, atp_ore, ordinal, terms, result_ore) = stood
        if row["kind"] != "correction":
            self._say("link", offset, f"row {row['id']} reverses and is not called a correction")
        if row["reverses"] != _row_id(citizen, place):
            self._say(
                "link",
                offset,
                f"row {row['id']} reverses another row than the one that stands in its cell",
            )
        if figures != (-amount_ore, -atp_ore, ordinal, terms, -result_ore):
            self._say("link", offset, f"row {row['id']} is not the standing row negated")

    def _check_new(
        self,
        offset: int,
        position: int,
        kind: str,
        beside: bool,
        new: tuple[Cell, Figures],
        gone: tuple[Cell, Figures] | None,
    ) -> None:
        """A row stands alone in its cell, is called what it is, and says something new; `gone` was just reversed."""
        follows = gone is not None and gone[0] == new[0]
        if beside:
            self._say("link", offset, f"row {position} stands beside another in its cell")
        elif kind != ("correction" if follows else "result") and kind != OPENING:
            self._say("link", offset, f"row {position} is called {kind} and is none")
        elif gone is not None and follows and _said(gone[1]) == _said(new[1]):
            self._say("link", offset, f"row {position} is posted again and says the same")

    # --- the end ----------------------------------------------------------------------------------

    def end(self) -> None:
        """What can be said only when all records were seen."""
        for offset, source in self._sources.items():
            if source.must_post:
                text = f"no posting follows from this accepted payment of citizen {source.citizen}"
                self.found.add(
                    Violation(
                        "not_reflected", self.scope.journal_topic, self.partition, offset, text
                    )
                )
        self._sources.clear()
        if self.scope.first:
            self._compare_markers()
        for citizen, account in self.accounts.items():
            self._check_sums(citizen, account)

    def _compare_markers(self) -> None:
        """The run markers of the postings are those of the journal, and the runs follow each other."""
        cut = {
            value: at for at, value in self.control if at < self.scope.settled_to and _run_of(value)
        }
        posted = {value for _, value in self._markers}
        for value, at in cut.items():
            if value not in posted:
                text = (
                    f"the marker of run {_run_of(value)} is not in the postings of this partition"
                )
                self.found.add(
                    Violation("marker", self.scope.journal_topic, self.partition, at, text)
                )
        last = 0
        for at, value in self._markers:
            run = _run_of(value)
            if value not in cut:
                self._say(
                    "marker", at, f"the journal of this partition has no such marker of run {run}"
                )
            if last and run != last + 1:
                self._say("marker", at, f"run {run} follows run {last}")
            last = run

    def _check_sums(self, citizen: str, account: Account) -> None:
        """What stands posted of a benefit is what was reported of it, to the øre; an earlier system's rows aside."""
        sums: Counter[str] = Counter()
        for name, (code, base_ore) in account.payments.items():
            if name not in account.reversed:
                sums[code] += base_ore
        for cell, (_, figures) in account.standing.items():
            if cell in account.opened:
                account.unsummed.add(cell[2])
            sums[cell[2]] -= figures[0]
        for code, ore in sums.items():
            if (
                ore
                and code not in account.unsummed
                and code not in TRANSITIONAL
                and code != FLEKSBIDRAG
            ):
                more = "posted than reported" if ore < 0 else "reported than posted"
                self._say(
                    "sum",
                    account.offset,
                    f"citizen {citizen}, {code}: {abs(ore)} øre more are {more}",
                )

    # --- shared -----------------------------------------------------------------------------------

    def _account(self, citizen: str) -> Account:
        account = self.accounts[citizen] = Account()
        return account

    def _citizen(self, key: bytes) -> str:
        right = self._right_partition.get(key)
        if right is None:
            citizen_of(key)
            right = self.scope.partition_of(key, self.scope.partitions) == self.partition
            self._right_partition[key] = right
        if not right:
            raise BadRecordError(
                "partition", f"citizen {key.decode()} does not belong to this partition"
            )
        return key.decode()

    def _look_for_cpr(self, offset: int, citizen: str, text: str) -> None:
        """Look for a CPR number in a report's id, which may be a running number that only looks like one.

        It is certain where it is the citizen's own, and only noted otherwise.
        """
        for digits in cpr_candidates(text.encode()):
            if self.scope.pseudonym is not None and self.scope.pseudonym(digits) == citizen:
                text_said = "the report's id holds the citizen's CPR number"
                self.found.add(
                    Violation("cpr", self.scope.journal_topic, self.partition, offset, text_said)
                )
                return
            self.found.notes["report ids with ten digits that could be a CPR number"] += 1

    def _bad(
        self,
        topic: str,
        offset: int,
        bad: BadRecordError,
        record: tuple[bytes | None, bytes | None, Headers],
    ) -> None:
        if record[0] or self.scope.first:
            self.found.add_record((topic, self.partition, offset), bad, *record)

    def _say(self, code: Code, offset: int, text: str) -> None:
        self.found.add(Violation(code, self.scope.postings_topic, self.partition, offset, text))


def _row_id(citizen: str, place: int) -> str:
    revision, position = place >> _POSITION_BITS, place & ((1 << _POSITION_BITS) - 1)
    return f"{blake2b(f'{citizen}/{revision}'.encode(), digest_size=12).hexdigest()}{position}"


def _said(figures: Figures) -> tuple[int, int, Terms, int]:
    """All that a row says; its ordinal is as of posting."""
    amount_ore, atp_ore, _, terms, result_ore = figures
    return amount_ore, atp_ore, terms, result_ore


def _run_of(value: bytes) -> int:
    """The number of a run marker, 0 for another control record."""
    record = orjson.loads(value)
    return record["run"] if record["type"] == "run" else 0


class RowChecks:
    """The format and the arithmetic of rows; what many rows share is looked at once."""

    def __init__(self, catalogue: RuleSet, rules_named: RulesNamed, found: Found) -> None:
        self._catalogue = catalogue
        self._rules_named = rules_named
        self._found = found
        self._cells: dict[Cell, Cell] = {}
        self._terms: dict[Terms, Terms] = {}
        self._rates: dict[tuple[str, str, Terms, int], bool] = {}

    def read(self, row: dict[str, Any], rules: str) -> tuple[Cell, Figures, str]:
        """The cell and the figures of a row that a rule set gave, and what is wrong with them.

        Raises what `as_bad` takes for a row that cannot be read.
        """
        atp_ore = row.get("atp_ore", 0)
        if len(row) != _ROW_FIELDS + ("reverses" in row) + ("atp_ore" in row):
            raise BadRecordError("format", "a row has other fields than a row has")
        cell = (row["month"], row["week"], row["benefit"], row["paying"], row["financing"])
        cell = self._cells.get(cell) or self._new_cell(cell)
        amount_ore, ordinal, rate = row["amount_ore"], row["ordinal"], row["rate"]
        terms = (row["mechanism"], rate, row["account"])
        terms = self._terms.get(terms) or self._terms.setdefault(terms, terms)
        refusion_ore, medfinansiering_ore = row["refusion_ore"], row["medfinansiering_ore"]
        result_ore = refusion_ore + medfinansiering_ore
        if (
            not amount_ore.__class__
            is atp_ore.__class__
            is ordinal.__class__
            is rate.__class__
            is int
        ):
            raise BadRecordError("format", "an amount, a rate or an ordinal is not a whole number")
        wrong = ""
        if (
            "reverses" not in row and row["kind"] != OPENING
        ):  # the one repeats a row, the other is not our work
            wrong = self._wrong(
                (rules, cell[2], terms, ordinal), amount_ore, refusion_ore, medfinansiering_ore
            )
        return cell, (amount_ore, atp_ore, ordinal, terms, result_ore), wrong

    def _wrong(
        self,
        rated: tuple[str, str, Terms, int],
        amount_ore: int,
        refusion_ore: int,
        medfinansiering_ore: int,
    ) -> str:
        """What is wrong with the result of an amount, or with its rate; "" where nothing is."""
        _, code, (mechanism, rate, _), ordinal = rated
        result_ore, other_ore = refusion_ore, medfinansiering_ore
        if mechanism != "refusion":
            result_ore, other_ore = other_ore, result_ore
        half_away = (abs(amount_ore) * rate + 50) // 100
        if result_ore != (-half_away if amount_ore < 0 else half_away) or other_ore:
            return f"{mechanism} {rate} % of {amount_ore} øre is not {refusion_ore} + {medfinansiering_ore} øre"
        if not (self._rates[rated] if rated in self._rates else self._has_rate(rated)):
            return f"{code} has not {mechanism} {rate} % on this account in benefit week {ordinal}"
        return ""

    def _new_cell(self, cell: Cell) -> Cell:
        """A cell that was not met before, checked; it is kept, so that all rows share it."""
        month, week, code, paying, financing = cell
        monday, benefit = date.fromisoformat(week), self._catalogue.benefits[code]
        months = {f"{day:%Y-%m}" for day in (monday, monday + timedelta(days=6))}
        if (
            monday.weekday()
            or monday.isoformat() != week
            or month not in months
            or benefit.mechanism is None
        ):
            raise BadRecordError(
                "format", "a row's week is no Monday of its month, or its benefit is not financed"
            )
        if any(
            code is not None and code not in self._catalogue.municipalities
            for code in (paying, financing)
        ):
            raise BadRecordError("format", "a row names a municipality that does not exist")
        self._cells[cell] = cell
        return cell

    def _has_rate(self, rated: tuple[str, str, Terms, int]) -> bool:
        """Whether a rule set gives a benefit these terms in a benefit week of this number."""
        name, code, (mechanism, rate, account), ordinal = rated
        benefit = self._catalogue.benefits[code]
        rules = self._rules_named(name)
        if rules is None:
            self._found.notes[
                f"rows by the rule set {name}, which this program does not know: rates not checked"
            ] += 1
            return True
        rates = _rates(rules, benefit, ordinal)
        if code in TRANSITIONAL:
            rates.add(rules.legacy.flex_refusion)
        right_account = benefit.mechanism and rules.accounts.get((code, benefit.mechanism, rate))
        holds = (
            rate in rates
            and mechanism == benefit.mechanism
            and account == right_account
            and ordinal >= 0
        )
        self._rates[rated] = holds
        return holds


def _rates(rules: RuleSet, benefit: Benefit, ordinal: int) -> set[int]:
    """The rates that a benefit can have in a benefit week of this number, whatever the year."""
    if isinstance(benefit.rate, int):
        return {benefit.rate}
    if benefit.rate == "computed":
        return {100}
    bands = [band for stairs in rules.staircases for band in stairs.bands]
    number = max(ordinal, 1)
    return {
        band.refusion if benefit.mechanism == "refusion" else band.medfinansiering
        for band in bands
        if band.from_week <= number and (band.to_week is None or number <= band.to_week)
    }
