"""Audits one partition: its journal and its postings are held against each other.

It shares no code with what wrote the records: row ids, rounding, revisions and links are worked out
here once more. The journal of a partition is taken first, then its postings, each record once and
in order:

    audit = PartitionAudit(scope, partition, rules_named)
    audit.journal(offset, key, value, headers)   ... every record
    audit.posting(offset, key, value, headers)   ... every record
    audit.end()                                  what is missing, and the sums
    audit.violations

A record that cannot be read is a violation of its own, and the audit goes on. Memory grows with the
citizens that it is given: about 300 bytes for each row that stands, and as much for each report.

`journal.py` and `postings.py` are the two sides; `rows.py` checks a row by itself, `links.py`
against the rows that stood before, `sums.py` adds up.
"""

from typing import Final

from projections.audit.journal import FIRST_RULES, JournalAudit
from projections.audit.postings import PostingsAudit
from projections.audit.rows import RowCheck, RulesNamed
from projections.audit.scope import AuditedPartition, AuditScope
from projections.audit.sums import wrong_sums
from projections.audit.violations import Headers

CATALOGUE: Final = "*"
"""Name by which `rules_named` gives a rule set with the benefits of all that are known."""


class PartitionAudit:
    """The audit of one partition, or of a slice of its citizens; see the module.

    `accounts` by citizen; `control`, `raw` and `copies` as in `JournalAudit`; `totals` as in
    `RowLinks`.
    """

    def __init__(self, scope: AuditScope, partition: int, rules_named: RulesNamed) -> None:
        catalogue = rules_named(CATALOGUE)
        assert catalogue is not None, "the program's own rule set is known"
        audited = AuditedPartition(scope, partition)
        self.scope = scope
        self.partition = partition
        self.violations = audited.violations
        self.accounts = audited.accounts
        self._audited = audited
        self._rules_named = rules_named
        self._journal = JournalAudit(audited, catalogue, rules_named)
        self._postings = PostingsAudit(
            audited, RowCheck(catalogue, rules_named, audited.violations)
        )
        self.control = self._journal.control
        self.raw = self._journal.raw
        self.copies = self._journal.copies
        self.totals = self._postings.totals

    def journal(
        self, offset: int, key: bytes | None, value: bytes | None, headers: Headers
    ) -> None:
        """Take a record of the journal."""
        self._journal.take(offset, key, value, headers)

    def posting(
        self, offset: int, key: bytes | None, value: bytes | None, headers: Headers
    ) -> None:
        """Take a record of the postings."""
        self._postings.take(offset, key, value, headers)

    def end(self) -> None:
        """Report what can be said only when all records were seen."""
        self._journal.report_missing_postings()
        if self.scope.first:
            self._postings.compare_markers(self.control)
        for citizen, account in self.accounts.items():
            rules = self._rules_named(account.rules or FIRST_RULES)
            for text in wrong_sums(citizen, account, rules.benefits if rules else None):
                self._audited.report_posting("sum", account.offset, text)
