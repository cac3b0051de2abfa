"""The partition under audit: which records belong to it, its citizens, and its violations."""

from collections.abc import Callable
from typing import NamedTuple

from projections.audit.accounts import Account
from projections.audit.cpr import CprSearch
from projections.audit.records import citizen_of
from projections.audit.violations import (
    BadRecordError,
    Code,
    Headers,
    Violation,
    Violations,
    as_bad,
)


class AuditScope(NamedTuple):
    """The limits of an audit. `settled_to` is the offset where the citizens stage goes on.

    `refused` are the offsets of the journal that became dead letters. `first` is true for the audit
    of all citizens of a partition, or of the first slice of them: all slices are given the records
    of no citizen, and only this one reports what is wrong with them. `deep` tells of whose key the
    reports are kept for a deep audit. `partition_of`, `pseudonym` and `cprs` are the system's
    own; without the key there is no pseudonym.
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
    cprs: CprSearch


class JournalSource(NamedTuple):
    """A record of the journal that a posting may follow from; control records have no citizen."""

    citizen: str
    cause: str
    must_post: bool


class AuditedPartition:
    """State that the audit of the journal and that of the postings share.

    `sources` are the journal's settled records, by offset; the postings take away what they name.
    """

    def __init__(self, scope: AuditScope, number: int) -> None:
        self.scope = scope
        self.number = number
        self.violations = Violations()
        self.accounts: dict[str, Account] = {}
        self.sources: dict[int, JournalSource] = {}
        self._is_ours: dict[bytes, bool] = {}

    def citizen(self, key: bytes) -> str:
        """Return the citizen of a key. Raises BadRecordError for one of another partition."""
        is_ours = self._is_ours.get(key)
        if is_ours is None:
            citizen_of(key)
            is_ours = self.scope.partition_of(key, self.scope.partitions) == self.number
            self._is_ours[key] = is_ours
        if not is_ours:
            text = f"citizen {key.decode()} does not belong to this partition"
            raise BadRecordError("partition", text)
        return key.decode()

    def account(self, citizen: str) -> Account:
        """Return the account of a citizen, a new one if need be."""
        account = self.accounts.get(citizen)
        if account is None:
            account = self.accounts[citizen] = Account()
        return account

    def report_journal(self, code: Code, offset: int, text: str) -> None:
        """Add a violation at an offset of the journal."""
        place = self.scope.journal_topic, self.number, offset
        self.violations.add(Violation(code, *place, text))

    def report_posting(self, code: Code, offset: int, text: str) -> None:
        """Add a violation at an offset of the postings."""
        place = self.scope.postings_topic, self.number, offset
        self.violations.add(Violation(code, *place, text))

    def report_bad(
        self,
        topic: str,
        offset: int,
        error: Exception,
        record: tuple[bytes | None, bytes | None, Headers],
    ) -> None:
        """Add a record whose reading met an error. Raises the error if it is a defect of ours."""
        bad, (key, value, headers) = as_bad(error), record
        if key or self.scope.first:
            place = topic, self.number, offset
            self.violations.add_record(place, bad, (key, value, headers), self.scope.cprs)
