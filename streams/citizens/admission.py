"""Tells which records of a journal the citizens stage refused, from the journal alone.

The dead letters say so too, but they expire. Whoever reads the journal again without settling it
record by record, such as a replay, asks here.
"""

import re

from domain.citizen.admission import refusal
from domain.citizen.reports import Opening, Payment
from domain.law.staircase import Law
from streams.citizens.rule_sets import DEFAULT, LawBook
from streams.kit.errors import UserError
from streams.wire import journal


class JournalAdmission:
    """Follows a partition's journal: `take_up` each rule set that it names, and ask of each record.

    Only records that name a benefit on which the rule sets differ are decoded.
    """

    def __init__(self, laws: LawBook) -> None:
        self._laws = laws
        self._validity = Law(laws.catalogue()).validity
        self.take_up(DEFAULT)

    def take_up(self, rules: str) -> None:
        """Go on under another rule set; one that is not known any more admits everything."""
        try:
            self._law = self._laws.law(rules)
        except UserError:
            self._differing = None
            return
        codes = [
            code for code, days in self._validity.items() if self._law.validity.get(code) != days
        ]
        quoted = "|".join(f'"{re.escape(code)}"' for code in codes)
        self._differing = re.compile(quoted.encode()) if codes else None

    def refuses(self, key: bytes | None, value: bytes | None) -> bool:
        """Tell whether the rule set that is valid here refuses a record that comes first here."""
        if self._differing is None or not self._differing.search(value or b""):
            return False
        try:
            report = journal.decode(key, value).report
        except (ValueError, KeyError, TypeError):  # it is refused for what it is
            return False
        return isinstance(report, Payment | Opening) and bool(refusal(self._law, report))
