"""Reads the file of persons: which users and which OIDC subjects are one and the same person.

- person: Anna Andersen
users: [anna, anna-admin]
subjects: ["8f14e45f-ceea-467f"]
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from domain.ruledata.ruleset import RuleError
from streams.citizens.rule_sets import parsed_yaml
from streams.kit.errors import UserError

LARGEST_BYTES: Final = 1 << 20
OTHERS_MAY_WRITE: Final = 0o022
OF_SUBJECT: Final = "oidc:"
"""The beginning of the name under which a visitor of the site acts, before the OIDC subject.

No user of an operating system has a colon in its name.
"""
_FORM: Final = "see docs/operations.md, four eyes"


class PersonsError(UserError):
    """The file of persons cannot be used; the message says why and what to do."""


class Persons:
    """Persons by the names of their users and by their subjects."""

    def __init__(self, of_user: Mapping[str, str], of_subject: Mapping[str, str]) -> None:
        self._of_user = of_user
        self._of_subject = of_subject

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
        state = path.stat()
        text = path.read_bytes()[: LARGEST_BYTES + 1]
    except OSError as error:
        raise PersonsError(f"REFUSION_PERSONS: {path}: {error.strerror}") from error
    if state.st_mode & OTHERS_MAY_WRITE:
        raise PersonsError(
            f"REFUSION_PERSONS: {path} can be written by others than its owner, who could make two"
            " persons of one; take that right away with `chmod go-w`"
        )
    if len(text) > LARGEST_BYTES:
        raise PersonsError(f"REFUSION_PERSONS: {path} is larger than {LARGEST_BYTES:,} bytes")
    return _persons_of(path, text)


def _persons_of(path: Path, text: bytes) -> Persons:
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
    maps: dict[str, dict[str, str]] = {"users": {}, "subjects": {}}
    for person in listed:
        for kind, of_kind in maps.items():
            for name in person.get(kind, ()):
                if of_kind.setdefault(name, person["person"]) != person["person"]:
                    raise PersonsError(
                        f"REFUSION_PERSONS: {path}: {name} is of two persons; leave one out"
                    )
    return Persons(maps["users"], maps["subjects"])


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
