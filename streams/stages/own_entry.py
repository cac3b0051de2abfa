"""The partition's own entry in its state: how far it is, and what settled it.

    position        the offset in the journal behind the last record that the state reflects
    closed_month    the latest month whose run is cut
    rules, digest   the valid rule set
    format, engine  the versions that wrote the state
    recalculation   how far a recalculation is that takes more than a transaction
    chain           a checksum of all changes so far; in hexadecimal, unlike a CPR number
    checked_from, controls   what is believed of the journal (`streams.wire.belief`)

It is the last record of each transaction, so state and position cannot part: whoever has the state
knows where to go on. The consumer group's offset is a copy of the position, which Kafka forgets
when the group has had no members for a while, and which anybody can set.
"""

import logging
from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Annotated, Any, TypedDict
from zlib import crc32

import orjson
from msgspec import Meta, convert

from domain.citizen.records import FORMAT, NewerStateError, StateError, check_format
from domain.law.staircase import ENGINE
from streams.citizens.rule_sets import DEFAULT
from streams.engine.ports import Events
from streams.kit.errors import UnworkableError

log = logging.getLogger("refusion")


class _Fields(TypedDict, total=False):
    format: int
    engine: int
    closed_month: str
    rules: str
    digest: str
    position: int
    chain: Annotated[str, Meta(pattern=r"\A[0-9a-f]{1,8}\Z")]
    checked_from: int
    controls: dict[str, int]
    recalculation: dict[str, Any]


def _read(value: bytes | None) -> dict[str, Any]:
    try:
        fields: dict[str, Any] = orjson.loads(value or b"{}")
        if isinstance(fields.get("format"), int) and fields["format"] > FORMAT:
            return {"format": fields["format"]}  # its other fields may have any form
        convert(fields, _Fields)
    except (ValueError, AttributeError):
        raise StateError("the partition's own entry has another form than ours") from None
    return fields


class OwnEntry:
    """The entry of one partition, as it was read and as it is written next."""

    def __init__(self, name: str, value: bytes | None) -> None:
        """`name` is the partition's in log lines; `is_there` says whether the state has an entry.

        Raises UnworkableError for a newer version's entry, StateError for what is none of ours.
        """
        self._name = name
        self.is_there = bool(value)
        self._fields = _read(value)
        self._check_versions()

    def _check_versions(self) -> None:
        try:
            check_format(self._fields.get("format", 1))
        except NewerStateError as error:
            raise UnworkableError(f"{self._name}: {error}") from error
        if self._fields.get("engine", ENGINE) > ENGINE:
            raise UnworkableError(
                f"{self._name}: version {self._fields['engine']} of the calculation has settled"
                f" this partition, this program has {ENGINE}: run that version, or make state and"
                " postings anew from the journal"
            )

    @property
    def reached(self) -> int:
        """The position that the state reflects; -1 where nothing was noted."""
        return int(self._fields.get("position", -1))

    @property
    def closed_month(self) -> str:
        """The latest month whose run is cut, or ""."""
        month: str = self._fields.get("closed_month", "")
        return month

    @property
    def rules(self) -> tuple[str, str]:
        """The name of the valid rule set, and its digest or ""."""
        return self._fields.get("rules", DEFAULT), self._fields.get("digest", "")

    @property
    def checked_from(self) -> int | None:
        """The offset from which on the journal's records are checked, if they are."""
        offset: int | None = self._fields.get("checked_from")
        return offset

    @property
    def controls(self) -> Mapping[str, int] | None:
        """The control records that were carried out, as `JournalBelief` notes them."""
        controls: Mapping[str, int] | None = self._fields.get("controls")
        return controls

    def looked_at(self, offset: int) -> str:
        """The last citizen that the recalculation at an offset has looked at, or ""."""
        begun: Mapping[str, Any] = self._fields.get("recalculation", {})
        return str(begun["after"]) if begun.get("offset") == offset else ""

    def next_with(
        self,
        changes: Iterable[tuple[bytes, bytes]],
        *,
        position: int,
        closed_month: str,
        rules: tuple[str, str],
        believed: Mapping[str, Any],
        recalculation: Mapping[str, Any] | None = None,
    ) -> bytes:
        """Make the entry that goes with a transaction's changes.

        The checksum over all changes so far makes it another one wherever anything before it was
        another. So a disk whose last record the changelog has is a copy of that changelog.
        """
        everything = b"".join(chain.from_iterable(changes))
        self._fields = {
            "format": FORMAT,
            "engine": ENGINE,
            "closed_month": closed_month,
            "rules": rules[0],
            "digest": rules[1],
            "position": position,
            "chain": f"{crc32(everything, int(self._fields.get('chain', '0'), 16)):08x}",
            **believed,
        }
        if recalculation:
            self._fields["recalculation"] = recalculation
        return orjson.dumps(self._fields)

    def position(self, committed: int | None, events: Events, *, has_citizens: bool) -> int | None:
        """Return the position that the state reflects; `committed` is the group's offset.

        Of a former version's state, which does not have it, the group's offset is believed. Raises
        UnworkableError where that, or the state, is there alone: to go on would settle again what
        was settled.
        """
        position: int | None = self._fields.get("position")
        if position is None:
            self._check_former(committed, has_state=bool(self._fields) or has_citizens)
            return committed
        if position == committed:
            return position
        events["position_found"] += 1
        if committed is None:
            log.warning(
                "%s: its group has no offset any more: goes on at %d, as its state says",
                self._name,
                position,
            )
        else:
            log.warning(
                "%s: its group's offset is %d, its state is at %d: goes on at the latter",
                self._name,
                committed,
                position,
            )
        return position

    def _check_former(self, committed: int | None, *, has_state: bool) -> None:
        if has_state and committed is None:
            raise UnworkableError(
                f"{self._name}: its state is of a version that did not note how far it was, and its"
                " group has no offset any more: make state and postings anew (docs/rebuild.md)"
            )
        if committed and not has_state:
            raise UnworkableError(
                f"{self._name}: its group has settled the journal up to {committed}, but the topic"
                " `citizens` has no state of it, so it has lost its records: make state and"
                " postings anew (docs/rebuild.md)"
            )
