"""Reads the file of persons: which users and which OIDC subjects are one and the same person.

    - person: Anna Andersen
      users: [anna, anna-admin]
      subjects: ["8f14e45f-ceea-467f"]

Whoever can change it can make two persons of himself. So it is read only where its owner and root
alone can change it, and the owner's own requests and approvals do not count.
"""

import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from domain.ruledata.ruleset import RuleError
from streams.citizens.rule_sets import parsed_yaml
from streams.kit.errors import UserError
from streams.kit.operating_user import user_name
from streams.kit.owned_file import ROOT, NotSafeError, read_owned

LARGEST_BYTES: Final = 1 << 20
OF_SUBJECT: Final = "oidc:"
"""The beginning of the name under which a visitor of the site acts, before the OIDC subject.

No user of an operating system has a colon in its name.
"""
_FORM: Final = "see docs/operations.md, four eyes"


class PersonsError(UserError):
    """The file of persons cannot be used; the message says why and what to do."""


class Persons:
    """Persons by the names of their users and by their subjects.

    `owner` is the user who may change the file; "" for root, who may change anything.
    """

    def __init__(
        self, of_user: Mapping[str, str], of_subject: Mapping[str, str], owner: str = ""
    ) -> None:
        self._of_user = of_user
        self._of_subject = of_subject
        self.owner = owner

    def of(self, names: Iterable[str]) -> frozenset[str]:
        """Return the persons behind the names of users; usually there is one, or none."""
        return frozenset(person for name in names if (person := self._person(name)))

    def _person(self, name: str) -> str | None:
        """Return the person behind a user's name, or behind that of a visitor of the site."""
        if name.startswith(OF_SUBJECT):
            return self.of_subject(name.removeprefix(OF_SUBJECT))
        return self._of_user.get(name)

    def of_subject(self, subject: str) -> str | None:
        """Return the person behind an OIDC subject."""
        return self._of_subject.get(subject)


def read_persons(path: Path | None) -> Persons:
    """Read the file; nobody is known without one.

    Raises:
        PersonsError: it cannot be read or used, or others than its owner may write to it.
    """
    if path is None:
        return Persons({}, {})
    try:
        text, owner = read_owned(path, LARGEST_BYTES)
    except OSError as error:
        raise PersonsError(f"REFUSION_PERSONS: {path}: {error.strerror}") from error
    except NotSafeError as error:
        raise PersonsError(
            f"REFUSION_PERSONS: {error} (who changes the file could make two persons of one)"
        ) from None
    if len(text) > LARGEST_BYTES:
        raise PersonsError(f"REFUSION_PERSONS: {path} is larger than {LARGEST_BYTES:,} bytes")
    return _persons_of(path, text, "" if owner == ROOT else user_name(owner))


def _persons_of(path: Path, text: bytes, owner: str) -> Persons:
    try:
        listed = parsed_yaml(text, path.name)
    except RuleError as error:
        raise PersonsError(
            f"REFUSION_PERSONS: {path} is no YAML of this kind ({error}); {_FORM}"
        ) from None
    if not isinstance(listed, list) or not all(map(_is_person, listed)):
        raise PersonsError(
            f"REFUSION_PERSONS: {path} must be a list of persons, each with `person` and lists of"
            f" `users` and `subjects`; {_FORM}"
        )
    _check_spellings(path, [person["person"] for person in listed])
    maps: dict[str, dict[str, str]] = {"users": {}, "subjects": {}}
    for person in listed:
        for kind, of_kind in maps.items():
            for name in person.get(kind, ()):
                if of_kind.setdefault(name, person["person"]) != person["person"]:
                    raise PersonsError(
                        f"REFUSION_PERSONS: {path}: {name} is of two persons; leave one out"
                    )
    return Persons(maps["users"], maps["subjects"], owner)


def _check_spellings(path: Path, names: Iterable[str]) -> None:
    """Raise PersonsError where two names differ in capitals, blanks or accents' coding alone."""
    spellings: dict[str, str] = {}
    for name in names:
        alike = " ".join(unicodedata.normalize("NFKC", name).casefold().split())
        if (other := spellings.setdefault(alike, name)) != name:
            raise PersonsError(
                f"REFUSION_PERSONS: {path}: {other!r} and {name!r} may be one person; write one"
                " name in one way"
            )


def _is_person(entry: Any) -> bool:
    return (
        isinstance(entry, dict)
        and isinstance(entry.get("person"), str)
        and bool(entry["person"].strip())
        and entry.keys() <= {"person", "users", "subjects"}
        and all(
            isinstance(entry.get(kind, []), list)
            and all(isinstance(name, str) and name.strip() for name in entry.get(kind, []))
            for kind in ("users", "subjects")
        )
    )
