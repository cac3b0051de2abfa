"""Checks the rows of a message against the rows that stood before: ids, reversals, new rows."""

from collections import Counter
from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

from projections.audit.accounts import Account, Figures, RowCell, StandingRow
from projections.audit.rows import OPENING, RowCheck
from projections.audit.scope import AuditedPartition


class RowLinks:
    """Enters the rows of messages into their citizens' accounts, and adds them up in `totals`."""

    def __init__(self, partition: AuditedPartition, rows: RowCheck) -> None:
        self.totals = Counter[str]()
        self._rows = rows
        self._report = partition.report_posting

    def enter(
        self,
        offset: int,
        citizen: str,
        account: Account,
        rules: str,
        rows: Sequence[dict[str, Any]],
    ) -> None:
        """Enter a message's rows, one after the other; `rules` is the rule set of the message."""
        message = message_id(citizen, account.revision)
        just_reversed: tuple[RowCell, Figures] | None = None
        beside: StandingRow | None = None
        for position, row in enumerate(rows):
            cell, figures, wrong = self._rows.read(row, rules)
            if wrong:
                self._report("figures", offset, f"row {position}: {wrong}")
            if row["id"] != f"{message}{position}":
                text = f"row {position} does not have the id of its citizen, revision and position"
                self._report("id", offset, text)
            stood = account.standing.pop(cell, None)
            account.opened.discard(cell)
            if "reverses" in row:
                self._check_reversing(offset, citizen, row, figures, stood)
                just_reversed = (cell, stood.figures) if stood else None
                if beside is not None:
                    account.standing[cell] = beside
                    just_reversed, beside = None, None
            else:
                if stood is not None and _comes_after_the_reports(rows, position):
                    beside = stood
                elif stood is not None:
                    text = f"row {position} stands beside another in its cell"
                    self._report("link", offset, text)
                else:
                    self._check_new(offset, position, row["kind"], (cell, figures), just_reversed)
                account.standing[cell] = StandingRow(account.revision, position, figures)
                just_reversed = None
                if row["kind"] == OPENING:
                    account.opened.add(cell)
            self.totals["amount_ore"] += figures.amount_ore
            self.totals[figures.terms.mechanism] += figures.result_ore
        self.totals["messages"] += 1
        self.totals["rows"] += len(rows)

    def _check_reversing(
        self,
        offset: int,
        citizen: str,
        row: dict[str, Any],
        figures: Figures,
        stood: StandingRow | None,
    ) -> None:
        """Check that a reversing row names the cell's standing row and is that row, negated."""
        name = f"row {row['id']}"
        if stood is None:
            self._report("link", offset, f"{name} reverses a row that does not stand")
            return
        if row["kind"] != "correction":
            self._report("link", offset, f"{name} reverses and is not called a correction")
        if row["reverses"] != f"{message_id(citizen, stood.revision)}{stood.position}":
            text = f"{name} reverses another row than the one that stands in its cell"
            self._report("link", offset, text)
        if figures != stood.figures.negated():
            self._report("link", offset, f"{name} is not the standing row negated")

    def _check_new(
        self,
        offset: int,
        position: int,
        kind: str,
        new: tuple[RowCell, Figures],
        just_reversed: tuple[RowCell, Figures] | None,
    ) -> None:
        """Check that a row in an empty cell is called what it is, and that it says something new.

        It is a correction if the row before it in the message reversed its cell.
        """
        cell, figures = new
        corrects = just_reversed is not None and just_reversed[0] == cell
        if kind not in ("correction" if corrects else "result", OPENING):
            self._report("link", offset, f"row {position} is called {kind} and is none")
        elif corrects and just_reversed is not None and just_reversed[1].says_the_same(figures):
            self._report("link", offset, f"row {position} is posted again and says the same")


def _comes_after_the_reports(rows: Sequence[dict[str, Any]], position: int) -> bool:
    """Tell if a row is an earlier system's that its own message takes back at once.

    The reports answer for its week, so what stands in the cell goes on standing.
    """
    is_alone = [row.get("reverses") for row in rows] == [None, rows[position]["id"]]
    return position == 0 and rows[0]["kind"] == OPENING and is_alone


def message_id(citizen: str, revision: int) -> str:
    """The id of a message; the id of a row is this and the row's position."""
    return blake2b(f"{citizen}/{revision}".encode(), digest_size=12).hexdigest()
