"""Adds up, for the half-yearly review of access, who used the site from a municipality.

    found = await reviewed(settings, ReviewQuestion("730", Half(2026, 2)))

The records of the half-year and of the one before it are read once; a person's line is kept, not
the records. Who was there before and is not any more has no use in the half-year: somebody whose
access should perhaps end. Whose rights were never used at all, only the municipality's own list
of users can say.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final, NamedTuple

import orjson

from streams.acts.act_search import citizens_in, scope_of
from streams.acts.chain import AccessRecord, entry_of, is_genuine
from streams.acts.topic import OpenActTopic, open_act_topic
from streams.settings import Settings

REVIEWED: Final = "access review"
"""The act with which a municipality says that its review was made."""
LOG_ONS: Final = frozenset({"site log-on", "site log-off"})
OVER_ALL: Final = frozenset({"auditor", "operator", "state"})
JULY: Final = 7
HALVES: Final = 2


class Half(NamedTuple):
    """A half of a year, 1 or 2."""

    year: int
    number: int

    @classmethod
    def of(cls, moment: datetime) -> "Half":
        """Return the half that a moment is in."""
        return cls(moment.year, 1 if moment.month < JULY else HALVES)

    @classmethod
    def named(cls, name: str) -> "Half":
        """Read a name such as 2026-2."""
        year, _, number = name.partition("-")
        return cls(int(year), int(number))

    @property
    def name(self) -> str:
        """Its name.

        >>> Half(2026, 2).name, Half(2026, 1).before.name
        ('2026-2', '2025-2')
        """
        return f"{self.year}-{self.number}"

    @property
    def before(self) -> "Half":
        """The half before it."""
        return Half(self.year, 1) if self.number == HALVES else Half(self.year - 1, HALVES)

    @property
    def begins(self) -> datetime:
        """Its first moment."""
        return datetime(self.year, 1 if self.number == 1 else JULY, 1, tzinfo=UTC)

    @property
    def ends(self) -> datetime:
        """The moment after its last one."""
        is_first = self.number == 1
        return Half(self.year if is_first else self.year + 1, HALVES if is_first else 1).begins


class ReviewQuestion(NamedTuple):
    """The municipality and the half-year of a review."""

    municipality: str
    half: Half


@dataclass
class PersonUse:
    """A person with access, and what was used; `last` is the time of the last act.

    `was_here` tells that there is a record of the half-year, be it of a log-off alone. `roles` are
    those of its records, or of the last one before it.
    """

    subject: str
    was_here: bool = False
    roles: set[str] = field(default_factory=set)
    last: str = ""
    looks: int = 0
    citizens: int = 0
    log_ons: int = 0
    acts: Counter[str] = field(default_factory=Counter)

    @property
    def is_unused(self) -> bool:
        """True for a person who was last there in the half-year before."""
        return not self.was_here


class Confirmation(NamedTuple):
    """A note that a review was made: when, by whom, and of which lines."""

    at: str
    who: str
    note: str
    digest: str


@dataclass
class AccessReview:
    """The persons of a municipality, who reach over all municipalities, and what was confirmed."""

    persons: list[PersonUse]
    over_all: Counter[str]
    confirmations: list[Confirmation]
    foreign: int

    @property
    def digest(self) -> str:
        """The digest of the persons and their roles, which a confirmation names."""
        told = [[person.subject, sorted(person.roles)] for person in self.persons]
        letters = str.maketrans("0123456789", "ghijkmnpqr")  # nobody takes it for a CPR number
        return sha256(orjson.dumps(told)).hexdigest()[:16].translate(letters)


class _Review:
    """Takes the records of the topic, and keeps a line for each person."""

    def __init__(self, settings: Settings, question: ReviewQuestion) -> None:
        self._macs = settings.macs()
        self._question = question
        self._begins, self._ends = (
            moment.isoformat().replace("+00:00", "Z")
            for moment in (question.half.begins, question.half.ends)
        )
        self._persons: dict[str, PersonUse] = {}
        self._over_all: dict[str, set[str]] = {}
        self._confirmations: list[Confirmation] = []
        self._foreign = 0

    def take(self, record: AccessRecord) -> bool:
        """Look at a record, and let go of it."""
        entry = entry_of(record)
        if entry is None:
            return False
        is_over = entry.fields["at"] >= self._ends
        if is_over and entry.fields.get("act") != REVIEWED:
            return False
        scope = scope_of(entry.fields)
        visitor = scope.get("visitor")
        if not isinstance(visitor, dict):
            return False
        if not is_genuine(self._macs, record):
            self._foreign += 1
            return False
        subject = str(visitor.get("subject") or "")
        if visitor.get("municipality") == self._question.municipality:
            self._confirm(entry.fields, scope, subject)
        if not is_over:  # a review is often made when its half-year is over
            self._take(entry.fields, scope, visitor, subject)
        return False

    def _confirm(self, fields: Mapping[str, Any], scope: Mapping[str, Any], subject: str) -> None:
        if fields.get("act") == REVIEWED and scope.get("half") == self._question.half.name:
            note, digest = str(fields.get("reason") or ""), str(scope.get("digest") or "")
            self._confirmations.append(Confirmation(fields["at"], subject, note, digest))

    def _take(
        self,
        fields: Mapping[str, Any],
        scope: Mapping[str, Any],
        visitor: Mapping[str, Any],
        subject: str,
    ) -> None:
        roles, is_inside = set(visitor.get("roles") or ()), fields["at"] >= self._begins
        act = str(fields.get("act") or "")
        if is_inside:
            for role in roles & OVER_ALL:
                self._over_all.setdefault(role, set()).add(subject)
        if visitor.get("municipality") != self._question.municipality:
            return
        person = self._persons.setdefault(subject, PersonUse(subject))
        is_latest, person.last = fields["at"] >= person.last, max(person.last, fields["at"])
        if not is_inside:
            person.roles = roles if is_latest else person.roles
            return
        person.roles = person.roles | roles if person.was_here else roles
        person.was_here = True
        if act in LOG_ONS:
            person.log_ons += act == "site log-on"
            return
        person.looks += 1
        person.citizens += len(citizens_in(scope))
        person.acts[act] += 1

    def found(self) -> AccessReview:
        """Return what was added up, who is unused first, then by the last use."""
        persons = sorted(self._persons.values(), key=lambda each: (not each.is_unused, each.last))
        over_all = Counter({role: len(subjects) for role, subjects in self._over_all.items()})
        return AccessReview(persons, over_all, self._confirmations, self._foreign)


async def reviewed(
    settings: Settings, question: ReviewQuestion, open_topic: OpenActTopic = open_act_topic
) -> AccessReview:
    """Add up a half-year. Raises UserError where the records cannot be read."""
    review = _Review(settings, question)
    async with open_topic(settings) as topic:
        await topic.records(review.take, question.half.before.begins)
    return review.found()
