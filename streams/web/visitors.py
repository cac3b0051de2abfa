"""Visitors of the site: roles and municipality, as contract section 10 names them."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final


class Role(StrEnum):
    """A role of contract section 10."""

    LIS = "lis"
    ECONOMY = "economy"
    CASEWORKER = "caseworker"
    STATE = "state"
    AUDITOR = "auditor"
    OPERATOR = "operator"


READERS: Final = frozenset(Role) - {Role.OPERATOR}
"""Roles that see views of LIS."""
OF_ALL: Final = frozenset({Role.STATE, Role.AUDITOR})
"""Roles that see all municipalities; the others see their own."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody who asks for pages; `subject` is "" for one who is not logged on."""

    subject: str
    roles: frozenset[Role] = frozenset()
    municipality: str | None = None
    name: str = ""

    @property
    def is_logged_on(self) -> bool:
        """True for somebody who is known."""
        return bool(self.subject)

    @property
    def sees_all(self) -> bool:
        """True if rows of every municipality may be shown."""
        return bool(self.roles & OF_ALL)

    def only(self, roles: frozenset[Role]) -> "Visitor":
        """Return the visitor with some roles alone.

        A role of one municipality and one of all may meet in one visitor. What the first may see is
        not seen of the municipalities of the second, so whose rows are shown is asked of the roles
        that may see them.
        """
        return replace(self, roles=self.roles & roles)

    @property
    def rights(self) -> "Visitor":
        """The roles and the municipality decide what a visitor may see, whoever it is."""
        return replace(self, subject="", name="")


NOBODY: Final = Visitor("")
"""A visitor who is not logged on."""
