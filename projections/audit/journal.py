"""Audits the journal of a partition: formats, CPR numbers, and what each report must post."""

from array import array
from collections import defaultdict
from typing import Any, Final

import orjson

from domain.law.old_cases import TRANSITIONAL
from domain.ruledata.ruleset import RuleSet
from projections.audit.accounts import Account, SummedPayment
from projections.audit.copies import (
    COPY_HEADERS,
    JOINED,
    MERGES,
    Copies,
    check_merge,
    copied_place,
    plain_of_copy,
    written_anew,
)
from projections.audit.records import (
    check_headers,
    check_opening,
    check_report,
    json_object,
    raw_position,
)
from projections.audit.rows import OPENING, RulesNamed
from projections.audit.scope import AuditedPartition, JournalSource
from projections.audit.violations import BadRecordError, Headers

CONTROL_TYPES: Final = ("run", "rules", "recalculate", "keys", "free")
FIRST_RULES: Final = "R-1"
"""The rule set that is valid until the journal names another."""

SUMS_FROM: Final = "2016-01-04"
"""Payments whose period begins on this day or later are settled to the øre: every part of theirs
has a rate."""


class JournalAudit:
    """Takes the records of the journal in order.

    `control` are offset and value of the control records; `raw` the offsets of the raw records that
    the reports came from, by topic and partition; `copies` what there is of merged citizens.
    """

    def __init__(
        self, partition: AuditedPartition, catalogue: RuleSet, rules_named: RulesNamed
    ) -> None:
        self.control: list[tuple[int, bytes]] = []
        self.raw: defaultdict[tuple[str, int], array[int]] = defaultdict(lambda: array("q"))
        self.copies = Copies()
        self._partition = partition
        self._scope = partition.scope
        self._catalogue = catalogue
        self._rules_named = rules_named
        self._valid_rules = rules_named(FIRST_RULES)

    def take(self, offset: int, key: bytes | None, value: bytes | None, headers: Headers) -> None:
        """Take a record."""
        try:
            record = json_object(value)
            if key and record["type"] in MERGES:
                self._take_merge(offset, self._partition.citizen(key), record, headers)
            elif key:
                self._take_keyed(offset, self._partition.citizen(key), record, headers, value)
            else:
                self._take_control(offset, record, value or b"")
        except Exception as error:  # noqa: BLE001 - report_bad raises defects of ours again
            topic = self._scope.journal_topic
            self._partition.report_bad(topic, offset, error, (key, value, headers))

    def _take_control(self, offset: int, record: dict[str, Any], value: bytes) -> None:
        if record["type"] not in CONTROL_TYPES:
            raise BadRecordError("key", "a record without a citizen that is no control record")
        if record["type"] == "free":
            self._free(offset, record, value)
        elif self._scope.cprs.finds(value):
            raise BadRecordError("cpr", "a control record holds what looks like a CPR number")
        if record["type"] == "rules":
            self._valid_rules = self._rules_named(record["rules"])
        self.control.append((offset, value))
        self._partition.sources[offset] = JournalSource("", "", must_post=False)

    def _free(self, offset: int, record: dict[str, Any], value: bytes) -> None:
        """Note that the next report under an id is a new one."""
        citizen, report_id = record["citizen"], record["report_id"]
        self._look_for_cpr(offset, citizen, report_id)
        if self._scope.cprs.finds(record["reason"].encode()):
            raise BadRecordError("cpr", "a control record holds what looks like a CPR number")
        account = self._partition.accounts.get(citizen)
        if account is None or self._led_to_nothing(offset):
            return
        name = f"{record['reporter']}/{report_id}"
        account.known.discard(name)
        account.reversed.discard(name)
        account.freed.add(name)
        if (paid := account.payments.pop(name, None)) is not None:
            account.unsummed.add(paid.benefit)
        if self._scope.deep(citizen.encode()):
            account.reports.append(value)

    def _take_merge(
        self, offset: int, citizen: str, record: dict[str, Any], headers: Headers
    ) -> None:
        """Take the record with which a merge, or its end, begins for a citizen."""
        check_merge(record, headers, self._scope.cprs)
        account = self._partition.account(citizen)
        if self._led_to_nothing(offset) or record["id"] in account.merges:
            return
        account.merges.add(record["id"])
        if record["type"] == JOINED:
            account.joined.add(record["id"])
            return
        account.empty()
        account.joined.discard(record["undoes"])
        account.is_moved = not record["undoes"]
        cause = f"{record['type']}/{record['id']}"
        self._partition.sources[offset] = JournalSource(citizen, cause, must_post=True)

    def _take_keyed(
        self,
        offset: int,
        citizen: str,
        record: dict[str, Any],
        headers: Headers,
        value: bytes | None,
    ) -> None:
        """Take a report or an opening row, or the copy of one that was a former number's."""
        copied = plain_of_copy(record)
        account = self._partition.accounts.get(citizen)
        if copied is not None:
            record, merge = copied
            value = orjson.dumps(record)
            self._note_copy(headers)
            if account is None or merge not in account.joined:
                return
        if account is not None and account.is_moved:
            if not self._led_to_nothing(offset) and not written_anew(headers):
                self.copies.passed_on.append(offset)
            self._note_raw(record, headers, is_copy=copied is not None)
        elif record["type"] == OPENING:
            self._take_opening(offset, citizen, record, headers)
        else:
            is_copy = copied is not None
            self._take_report(offset, citizen, record, value or b"", headers, is_copy=is_copy)

    def _note_copy(self, headers: Headers) -> None:
        """Note of which record of the journal a copy is."""
        place = copied_place(headers)
        if place is not None and not written_anew(headers):
            self.copies.copied.append(place)

    def _note_raw(self, record: dict[str, Any], headers: Headers, *, is_copy: bool) -> None:
        """Check a report's headers, and note which raw record it was; a copy was none."""
        if is_copy:
            check_headers(headers, COPY_HEADERS, self._scope.cprs)
        elif (
            record["type"] != OPENING
            and (raw := raw_position(record, headers, self._scope.cprs)) is not None
        ):
            topic, partition, raw_offset = raw
            self.raw[topic, partition].append(raw_offset)

    def _take_opening(
        self, offset: int, citizen: str, record: dict[str, Any], headers: Headers
    ) -> None:
        name = check_opening(record, headers, self._scope.cprs)
        if self._led_to_nothing(offset) or self._is_refused(citizen, name, record):
            return
        account = self._partition.account(citizen)
        must_post = name not in account.known
        self._partition.sources[offset] = JournalSource(citizen, name, must_post)
        account.known.add(name)

    def _take_report(
        self,
        offset: int,
        citizen: str,
        record: dict[str, Any],
        value: bytes,
        headers: Headers,
        *,
        is_copy: bool,
    ) -> None:
        check_report(record, self._catalogue)
        self._note_raw(record, headers, is_copy=is_copy)
        self._look_for_cpr(offset, citizen, record["report_id"])
        self._look_for_cpr(offset, citizen, record.get("group", ""))
        name = f"{record['reporter']}/{record['report_id']}"
        if self._led_to_nothing(offset) or self._is_refused(citizen, name, record):
            return
        account = self._partition.account(citizen)
        must_post = name not in account.known and self._enter(
            offset, citizen, account, name, record
        )
        account.known.add(name)
        if name in account.freed:  # it may be what was freed, come again, which is ignored
            must_post = False
            account.unsummed |= {record["benefit"]} if "benefit" in record else set()
        if self._scope.deep(citizen.encode()):
            account.reports.append(value)
        self._partition.sources[offset] = JournalSource(citizen, name, must_post)

    def _led_to_nothing(self, offset: int) -> bool:
        """Tell whether a record was refused, or is not settled yet."""
        return offset >= self._scope.settled_to or offset in self._scope.refused

    def _is_refused(self, citizen: str, name: str, record: dict[str, Any]) -> bool:
        """Tell whether the rule set that is valid here refuses a record that comes first here.

        It became a dead letter, which may have expired since.
        """
        if self._valid_rules is None or "benefit" not in record:
            return False
        account = self._partition.accounts.get(citizen)
        if account is not None and name in account.known:
            return False
        benefit = self._valid_rules.benefits.get(record["benefit"])
        if benefit is None or record["type"] == OPENING:
            return benefit is None
        last = "9999" if benefit.valid_to is None else benefit.valid_to.isoformat()
        starts, ends = record["period_start"], record["period_end"]
        return bool(starts > last or ends < benefit.valid_from.isoformat())

    def _enter(
        self, offset: int, citizen: str, account: Account, name: str, record: dict[str, Any]
    ) -> bool:
        """Enter a report that came for the first time. Returns whether it must change a row."""
        if record["type"] == "reversal" and "reverses_group" in record:
            account.reversed.add((record["reporter"], record["reverses_group"]))
            self._look_for_cpr(offset, citizen, record["reverses_group"])
            return False
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
        group = (record["reporter"], record["group"]) if record.get("group") else None
        payment = account.payments[name] = SummedPayment(code, base_ore, group)
        return base_ore != 0 and not account.is_reversed(name, payment)

    def _look_for_cpr(self, offset: int, citizen: str, text: str) -> None:
        """Look for a CPR number in a report's id, which may be a running number that looks so.

        It is certain if it is the citizen's own, and only noted otherwise.
        """
        for digits in self._scope.cprs.candidates(text.encode()):
            if self._scope.pseudonym is not None and self._scope.pseudonym(digits) == citizen:
                said = "the report's id holds the citizen's CPR number"
                self._partition.report_journal("cpr", offset, said)
                return
            noted = "report ids with ten digits that could be a CPR number"
            self._partition.violations.notes[noted] += 1

    def report_missing_postings(self) -> None:
        """Report each payment that must have led to a posting and that no posting named."""
        for offset, source in self._partition.sources.items():
            if source.must_post:
                text = f"no posting follows from this accepted payment of citizen {source.citizen}"
                self._partition.report_journal("not_reflected", offset, text)
        self._partition.sources.clear()
