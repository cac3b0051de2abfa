"""The citizens stage's work on one partition, without Kafka: reports in, posting messages out.

The same code serves `refusion settle` and the worker. State is read through a store and written
by whoever owns the batch: `changes` hands over every changed entry once.
"""

from collections.abc import Sequence
from itertools import islice

from domain.basics.named import made
from domain.basics.weeks import month_text
from domain.citizen.admission import came_before, refusal
from domain.citizen.aggregate import apply_report
from domain.citizen.consequences import UNCHANGED, Settling
from domain.citizen.freed_ids import free
from domain.citizen.merges import came_again, counts, join
from domain.citizen.openings import enter
from domain.citizen.posting import post, post_fresh, post_opening, reason
from domain.citizen.recalculation import settle_anew
from domain.citizen.records import StateError
from domain.citizen.reports import (
    CitizenRecord,
    ConflictingDuplicateError,
    Copy,
    Freeing,
    Join,
    KeysRecord,
    Move,
    Opening,
    Recalculation,
    RulesRecord,
    RunMarker,
    cause,
)
from domain.citizen.room import TooManyError
from domain.citizen.state import Citizen, Head
from domain.law.counters import Counters
from domain.law.staircase import ENGINE, Law
from domain.ruledata.changes import changed_benefits
from projections.postings.messages import posting_message, run_message
from streams.citizens.merges import NO_REPORTS, Merging
from streams.citizens.outcomes import (
    CONFLICT,
    DEFECT,
    NOT_ADMITTED,
    NOTHING,
    OPENING_CONFLICT,
    TOO_MANY,
    Outcome,
    RecalculatedCitizens,
    notice_text,
)
from streams.citizens.rule_sets import Laws
from streams.citizens.store_port import HeldBack, Store
from streams.kit.errors import BLAMELESS, UserError

CitizensReport = tuple[str, str, CitizenRecord]
"""Citizen, sealed CPR and report, opening row or record of a merge."""

Settleable = CitizensReport | RunMarker | RulesRecord | KeysRecord
"""A record that is settled by itself; a recalculation is not (`Partition.recalculate`)."""

CONTROLS = (RunMarker, RulesRecord, KeysRecord)
OF_CITIZENS = (Recalculation, Freeing)
"""Control records that are carried out for citizens (`Partition.recalculate`)."""

CITIZENS_KEPT = 256
"""Heads kept decoded between batches: some kB each; citizens are mostly paid every month."""


class Partition:
    """Settles the reports of one partition in their order.

    `closed_month` ("YYYY-MM" or "") is the latest month whose run is cut in this partition, `law`
    the one that holds in it, which only a control record changes: `laws` are those that it may
    name.
    """

    def __init__(
        self,
        law: Law,
        store: Store,
        closed_month: str = "",
        kept: int = CITIZENS_KEPT,
        laws: Laws | None = None,
    ) -> None:
        self.law = law
        self._laws = laws
        self._store = store
        self._held_back: HeldBack | None = None
        self._kept = kept
        self.closed_month = closed_month
        self.posted: list[tuple[str, int]] = []
        """Reason and number of correction rows of each message since the last call of `changes`."""
        self.merging = Merging()
        self._concerned: dict[tuple[str, str], frozenset[str] | None] = {}
        self._open: dict[str, Citizen] = {}
        self._changed: dict[str, Citizen] = {}

    def settle_batch(self, records: Sequence[Settleable]) -> list[Outcome]:
        """Settle a batch of records. A defect of ours costs only the record that met it.

        Nothing of a batch is kept for an undo, which would cost every report. So after the first
        defect the batch is settled a second time, with each record as a batch of its own.

        Raises StateError and BLAMELESS, for which no record is to blame: a rule set that is not
        known here is one of them.
        """
        closed_month, law = self.closed_month, self.law
        try:
            return [self.settle(record) for record in records]
        except (StateError, *BLAMELESS):
            raise
        except Exception:  # noqa: BLE001 - whatever it is, the record becomes a dead letter
            self.forget()
            self.closed_month, self.law = closed_month, law
            held_back = self._held_back = HeldBack(self._store)
            return [self._settle_by_itself(record, held_back) for record in records]

    def _settle_by_itself(self, record: Settleable, held_back: HeldBack) -> Outcome:
        """Settle one record and hold its changes back; a defect undoes this record alone."""
        closed_month, law, posted = self.closed_month, self.law, len(self.posted)
        passed_on = len(self.merging.passed_on)
        try:
            outcome = self.settle(record)
            held_back.changes.update(self._taken_changes())
        except (StateError, *BLAMELESS):
            raise
        except Exception:  # noqa: BLE001 - as above
            self._open.clear()
            self._changed.clear()
            self.merging.undo(passed_on)
            self.closed_month, self.law = closed_month, law
            del self.posted[posted:]
            return DEFECT
        return outcome

    def settle(self, record: Settleable) -> Outcome:
        """Settle one record, a defect of ours not caught."""
        if isinstance(record, CONTROLS):
            return self._carry_out(record)
        citizen_id, cpr_sealed, report = record
        citizen = self._open.get(citizen_id)
        if citizen is None:
            citizen = self._open[citizen_id] = Citizen(
                citizen_id, self._held_back or self._store, self.law
            )
        refused = refusal(self.law, report)
        if refused and (outcome := self._refused(citizen, report, refused)):
            return outcome
        self._changed[citizen_id] = citizen
        head = citizen.head
        if head.cpr_sealed != cpr_sealed:
            citizen.change_head().cpr_sealed = cpr_sealed
        anew = None
        if head.law is not self.law:
            if moved := self._settle_moved(citizen, report):
                return moved
            anew = self._take_up(citizen)
        if isinstance(report, NO_REPORTS):
            outcome = self._settle_other(citizen, cpr_sealed, report)
            return outcome if anew is None else outcome._replace(settled_anew=anew)
        name = cause(report)
        try:
            settling = apply_report(self.law, citizen, report, name)
        except (ConflictingDuplicateError, TooManyError) as error:
            refusal_of = CONFLICT if isinstance(error, ConflictingDuplicateError) else TOO_MANY
            return refusal_of._replace(settled_anew=anew)
        if settling is UNCHANGED:
            return NOTHING if anew is None else NOTHING._replace(settled_anew=anew)
        posting = self._post(citizen, name, settling)
        notices = settling.notices
        texts = [notice_text(citizen_id, name, notice) for notice in notices] if notices else []
        return made(Outcome, (posting, texts, "", anew))

    def _post(self, citizen: Citizen, name: str, settling: Settling, why: str = "") -> bytes | None:
        changes, counters, _, is_reversal, fresh = settling
        revision = citizen.head.revision + 1
        posting = post(changes, revision) if fresh is None else post_fresh(fresh, revision)
        rows, _, _, corrections = posting
        if not rows and counters is None:
            return None
        head = citizen.change_head()
        head.revision = revision
        why = why or reason(posting, self.closed_month, is_reversal=is_reversal)
        if counters is None:
            counters = self.law.counters(head.weeks)
        self.posted.append((why, corrections))
        return posting_message(
            citizen.id, revision, name, why, head.rules, head.cpr_sealed, counters, rows
        )

    # --- merges -----------------------------------------------------------------------------------

    def _settle_other(
        self, citizen: Citizen, cpr_sealed: str, record: Opening | Move | Join | Copy
    ) -> Outcome:
        """Settle a record that is no report, of a citizen who is there."""
        if isinstance(record, Opening):
            return self._enter(citizen, record)
        if isinstance(record, Copy):
            is_here = counts(citizen, record)
            return self.settle((citizen.id, cpr_sealed, record.report)) if is_here else NOTHING
        if came_again(citizen, record):
            return NOTHING
        if isinstance(record, Move):
            moved = self.merging.move(self.law, citizen, self._held_back or self._store, record)
            self._open[citizen.id] = self._changed[citizen.id] = moved.left
            self.posted.append(("moved", moved.corrections))
            return Outcome(moved.message, [])
        join(citizen, record)
        return NOTHING

    def _settle_moved(self, citizen: Citizen, record: CitizenRecord) -> Outcome | None:
        """Settle a record of a citizen whose reports go to another; None where they do not."""
        ties = citizen.head.ties
        if ties is None or not ties.to:
            return None
        if isinstance(record, Move | Join):
            return self._settle_other(citizen, "", record)
        if isinstance(record, Copy) and not counts(citizen, record):
            return NOTHING
        return self.merging.pass_on(ties)

    def _refused(self, citizen: Citizen, record: CitizenRecord, refused: str) -> Outcome | None:
        """Give what becomes of a record that the law refuses; None where it came before."""
        if came_before(citizen, record):
            return None
        return self._settle_moved(citizen, record) or NOT_ADMITTED[refused]

    # --- control records --------------------------------------------------------------------------

    def _carry_out(self, record: RunMarker | RulesRecord | KeysRecord) -> Outcome:
        if isinstance(record, RulesRecord):
            assert self._laws is not None, "no rule sets were given to choose from"
            self.law = self._laws.law(record.rules, record.digest)
        return Outcome(self._close(record), []) if isinstance(record, RunMarker) else NOTHING

    def recalculate(
        self, record: Recalculation | Freeing, after: str, most: int
    ) -> RecalculatedCitizens:
        """Settle the citizens in scope anew, in their order, from the one behind `after` on.

        At most `most` are looked at. Only at the beginning of a batch: the store knows them.
        """
        assert not self._changed, "a recalculation begins a batch of its own"
        postings: list[tuple[str, bytes]] = []
        unsealed = failed = 0
        one = _one_citizen(record)
        looked_at = [one] if one else list(islice(self._store.citizens(after), most))
        for citizen_id in looked_at:
            citizen = self._open.get(citizen_id) or Citizen(citizen_id, self._store, self.law)
            self._changed[citizen_id] = citizen
            if not self._concerns(record, citizen):
                continue
            if not citizen.head.cpr_sealed:
                unsealed += 1
                continue
            try:
                if isinstance(record, Freeing):
                    messages = self._free(citizen, record)
                else:
                    messages = [self._settle_anew(citizen, f"recalculate/{record.id}")]
            except (StateError, *BLAMELESS):
                raise
            except Exception:  # noqa: BLE001 - whatever it is, the citizen stays as it was and nothing else stops
                failed += 1
                self._open.pop(citizen_id, None)
                del self._changed[citizen_id]
                continue
            postings += [(citizen_id, message) for message in messages if message is not None]
        is_over = len(looked_at) < most or one
        return RecalculatedCitizens(postings, "" if is_over else looked_at[-1], unsealed, failed)

    def _concerns(self, record: Recalculation | Freeing, citizen: Citizen) -> bool:
        if isinstance(record, Freeing):
            return citizen.seen(record.name) is not None
        place = record.scope.municipality
        return bool(citizen.head.months) and (not place or citizen.concerns(place))

    def _free(self, citizen: Citizen, record: Freeing) -> list[bytes | None]:
        anew = None if citizen.head.law is self.law else self._take_up(citizen)
        settling = free(self.law, citizen, record)
        return [anew, self._post(citizen, f"free/{record.id}", settling, "recalculation")]

    def _take_up(self, citizen: Citizen) -> bytes | None:
        """Bring a citizen under the law that holds now; gives the message that this leads to.

        A citizen whose money the change does not concern is not settled anew.
        """
        head = citizen.head
        if head.engine == ENGINE and self._leaves(citizen):
            citizen.change_head().settled_by(self.law)
            return None
        return self._settle_anew(citizen, self._change_of(head))

    def _leaves(self, citizen: Citizen) -> bool:
        """Tell if the law that settled the citizen and the present one give the same money.

        An addition to the catalogue concerns those alone who have had money of the benefit.
        """
        before = self._law_named(citizen.head.rules)
        if before is None:
            return False
        laws = before.rules.name, self.law.rules.name
        if laws not in self._concerned:
            self._concerned[laws] = changed_benefits(before.rules, self.law.rules)
        concerned = self._concerned[laws]
        return concerned is not None and not citizen.has_money_of(concerned)

    def _law_named(self, rules: str) -> Law | None:
        """Give the law of a rule set; None where it is not known any more."""
        if rules == self.law.rules.name or self._laws is None:
            return self.law if rules == self.law.rules.name else None
        try:
            return self._laws.law(rules)
        except UserError:
            return None

    def _change_of(self, head: Head) -> str:
        """Name the change since a citizen was settled, as a cause."""
        is_same = head.rules == self.law.rules.name
        return f"engine/{ENGINE}" if is_same else f"rules/{self.law.rules.name}"

    def _settle_anew(self, citizen: Citizen, name: str) -> bytes | None:
        head = citizen.head
        why = "recalculation" if head.law is self.law else "rule_change"
        before = self._counters_of(head)
        settling = settle_anew(self.law, citizen)
        if settling.counters == before:
            settling = settling._replace(counters=None)
        return self._post(citizen, name, settling, why)

    def _counters_of(self, head: Head) -> Counters | None:
        """Give a citizen's counters as last posted; None if the rule set is unknown by now."""
        law = self._law_named(head.rules)
        return None if law is None else law.counters(head.counted_again_by(law))

    def _enter(self, citizen: Citizen, opening: Opening) -> Outcome:
        """Post an opening row, and take it back at once where the journal answers for its week."""
        head = citizen.head
        revision = head.revision + 1
        try:
            entered = enter(self.law, citizen, opening, revision)
        except ConflictingDuplicateError:
            return OPENING_CONFLICT
        if entered is None:
            return NOTHING
        citizen.change_head().revision = revision
        rows = post_opening(opening, entered)
        counters = self.law.counters(head.weeks)
        self.posted.append(("opening", len(rows) - 1))
        message = posting_message(
            citizen.id, revision, cause(opening), "opening", head.rules, head.cpr_sealed,
            counters, rows,
        )  # fmt: skip
        return Outcome(message, [])

    def _close(self, marker: RunMarker) -> bytes:
        """Cut a run: later rows of its month or an earlier one are late."""
        self.closed_month = max(self.closed_month, month_text(marker.data_month))
        return run_message(marker)

    def forget(self) -> None:
        """Undo everything since the last call of `changes`."""
        self._open.clear()
        self._changed.clear()
        self.posted.clear()
        self.merging.undo()
        self._held_back = None

    def changes(self) -> list[tuple[bytes, bytes]]:
        """Give every state entry changed since the last call; only heads stay in memory."""
        changes = self._taken_changes()
        if self._held_back is not None:
            changes = [*self._held_back.changes.items(), *changes]
            self._held_back = None
            self._open.clear()
        if len(self._open) > self._kept:
            self._open.clear()
        self.posted.clear()
        self.merging.passed_on.clear()
        return changes

    def _taken_changes(self) -> list[tuple[bytes, bytes]]:
        changes: list[tuple[bytes, bytes]] = []
        for citizen in self._changed.values():
            changes += citizen.changes()
        self._changed.clear()
        if self.merging.gone:
            changes = [*self.merging.deletions(), *changes]
            self._open.clear()
        return changes


def _one_citizen(record: Recalculation | Freeing) -> str:
    """Give the one citizen that a record is about; "" for one about several."""
    return record.citizen if isinstance(record, Freeing) else record.scope.citizen
