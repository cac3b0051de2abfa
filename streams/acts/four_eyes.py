"""Lets an act that needs two persons wait for the second one (contract section 11).

    1. Who asks for the act gets a request: a record in `access` with the command, its scope and the
       digests of its files. The command ends with exit status 3.
    2. `refusion approve ID` by another person records the approval, and runs the same command.
    3. That command comes here again, and gets its permission only if what it would do is what was
       asked: the same act, scope and files. The permission is the record of the act.

A request is carried out once, whatever comes of it; it can be refused, and is stale after 30 days.
Without four eyes (`REFUSION_FOUR_EYES=0`) the act is recorded, with that, and goes on.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import file_digest
from pathlib import Path
from typing import Any, Final, NamedTuple

from streams.acts.acts import Act, fields_of
from streams.acts.chain import Entry
from streams.acts.chain_file import new_id
from streams.acts.persons import Persons, read_persons
from streams.acts.topic import OpenActTopic, open_act_topic
from streams.acts.writer import ActWriter
from streams.kit.errors import AwaitingApproval, UserError
from streams.kit.operating_user import operating_user
from streams.settings import Settings

LEEWAY_PERCENT: Final = 1
LEEWAY_ORE: Final = 10_000_00
"""Amounts of all citizens may grow by it while they wait: reports go on coming, each second."""
STALE_DAYS: Final = 30
"""Days after which a request cannot be approved any more."""
OPEN: Final = "open"
APPROVED: Final = "approved"
AMOUNTS: Final = "amounts_ore"
"""The field of `about` that tells the amounts which the second person agrees to."""

MOVED_BY_PLACE: Final = "moved_by_municipality_ore"
MOVED_BY_CAUSE: Final = "moved_by_cause_ore"
"""The fields of `about` that tell what the State would pay more."""


class ApprovalError(UserError):
    """A request cannot be approved or carried out; the message says why and what to do."""


class GuardedAct(NamedTuple):
    """An act that needs two persons.

    `command` are the arguments of `refusion` with which it is done again. `files` are those that
    it names, by their whole paths, each with the file that is read for it; their content must still
    be the same then. `about` tells the second person more, such as sums, which may have changed.
    `at_most` are amounts in øre by what they are for: they are told too, and may not be larger when
    the act is done. `goes_on` is for an act on what grows while it waits, such as the reports of
    all citizens: its amounts may be larger by `LEEWAY_PERCENT` and `LEEWAY_ORE`.
    """

    act: Act
    command: Sequence[str]
    files: Mapping[str, Path] = {}
    about: Mapping[str, Any] = {}
    at_most: Mapping[str, int] = {}
    goes_on: bool = False

    def told(self) -> dict[str, Any]:
        """Return what the second person is told beside the scope."""
        return dict(self.about) | ({AMOUNTS: dict(self.at_most)} if self.at_most else {})

    def digests(self) -> dict[str, str]:
        """Return the SHA-256 of each file, by its path."""
        return {named: _digest(path) for named, path in self.files.items()}


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


@dataclass
class ApprovalRequest:
    """A request, and what became of it.

    `state` is open, approved (not carried out yet), carried out, refused or stale.
    """

    fields: Mapping[str, Any]
    state: str = OPEN
    decided_by: str = ""
    decided_at: str = ""

    @property
    def id(self) -> str:
        """The id by which it is approved."""
        return str(self.fields["id"])

    @property
    def names(self) -> list[str]:
        """The names of who asked."""
        return [self.fields[name] for name in ("user", "login_user", "sudo_user")]

    def as_json(self) -> dict[str, Any]:
        """Return it for programs."""
        shown = ("id", "at", "user", "host", "act", "scope", "reason", "command", "files", "about")
        decision = {"state": self.state, "decided_by": self.decided_by}
        return (
            {name: self.fields[name] for name in shown} | decision | {"decided_at": self.decided_at}
        )


# --- asking ---------------------------------------------------------------------------------------

_IN_HAND: Final[ContextVar[ApprovalRequest | None]] = ContextVar("approved", default=None)
"""Request that is being carried out by this process."""


def is_approved() -> bool:
    """Tell whether this process carries out a request: nobody is asked again whether he is sure."""
    return _IN_HAND.get() is not None


def request_in_hand() -> ApprovalRequest | None:
    """Return the request that this process carries out; None for what waits for nobody."""
    return _IN_HAND.get()


async def permission(
    settings: Settings, guarded: GuardedAct, open_topic: OpenActTopic = open_act_topic
) -> str:
    """Record a guarded act that may be done now, and return its id.

    Raises:
        AwaitingApproval: it may not be done yet; a request was recorded.
        ApprovalError: what would be done is not what was approved, or was done before.
        ActError: nothing could be recorded.
    """
    approved = _IN_HAND.get()
    if not settings.four_eyes and settings.demo and not settings.has_brokers:
        return new_id()
    async with open_topic(settings) as topic:
        writer = ActWriter(settings, topic)
        fields = fields_of(guarded.act)
        if not settings.four_eyes and approved is None:
            return await writer.write("act", fields | {"four_eyes": "off"})
        files = guarded.digests()
        if approved is None:
            asked = {"command": list(guarded.command), "files": files}
            request = await writer.write("request", fields | asked | {"about": guarded.told()})
            raise AwaitingApproval(request, guarded.act.name)
        _check_same(approved, guarded, files)
        act = fields | {"four_eyes": "approved", "request": approved.id}
        act_id = await writer.write("act", act)
        await _check_first(writer, approved, act_id)
        return act_id


def _check_same(approved: ApprovalRequest, guarded: GuardedAct, files: Mapping[str, str]) -> None:
    """Raise ApprovalError where what would be done now is not what was asked."""
    asked = approved.fields
    now = {"act": guarded.act.name, "scope": dict(guarded.act.scope), "files": files}
    for name, value in now.items():
        if asked[name] != value:
            raise ApprovalError(
                f"request {approved.id}: its {name} would be another now than when it was asked"
                " for; nothing was done: have it asked for again"
            )
    seen = asked["about"].get(AMOUNTS, {})
    for what, ore in guarded.at_most.items():
        if ore > _most(seen.get(what), goes_on=guarded.goes_on):
            raise ApprovalError(
                f"request {approved.id}: the amount of {what} is larger now than when it was asked"
                " for; nothing was done: have it asked for again"
            )


def _most(seen: int | None, *, goes_on: bool) -> int:
    """Return how many øre an amount may be that the second person saw, or did not see."""
    if not goes_on:
        return -1 if seen is None else seen
    return (seen or 0) * (100 + LEEWAY_PERCENT) // 100 + LEEWAY_ORE


async def _check_first(writer: ActWriter, approved: ApprovalRequest, act_id: str) -> None:
    """Raise ApprovalError where another process carries the same request out, or it was refused."""
    first = await _first_end(writer, approved.id)
    if first.fields["type"] == "refusal":
        raise ApprovalError(
            f"request {approved.id} was refused before it was carried out; nothing was done"
        )
    if first.fields["id"] != act_id:
        raise _done_before(approved.id)


async def _first_end(writer: ActWriter, request_id: str) -> Entry:
    """Return the record that decided a request for ever: its act or its refusal, written first."""
    entries = await writer.entries(horizon() - timedelta(days=STALE_DAYS))
    return next(
        entry
        for entry in entries
        if entry.fields["type"] in ("act", "refusal") and entry.fields.get("request") == request_id
    )


def _done_before(request: str) -> ApprovalError:
    return ApprovalError(
        f"request {request} was carried out before; a request is carried out once: have it asked"
        " for again if it is to be done again"
    )


# --- approving ------------------------------------------------------------------------------------


@contextmanager
def carried_out(request: ApprovalRequest) -> Iterator[None]:
    """Let the guarded act of a request be done within a block."""
    token = _IN_HAND.set(request)
    try:
        yield
    finally:
        _IN_HAND.reset(token)


async def approve(
    settings: Settings,
    request_id: str,
    open_topic: OpenActTopic = open_act_topic,
    *,
    check: Callable[[ApprovalRequest], None] | None = None,
) -> ApprovalRequest:
    """Record the approval of a request by this process's user. Raises ApprovalError.

    `check` is asked of the request before the approval is written, and raises where nobody may
    approve it here.
    """
    async with open_topic(settings) as topic:
        writer = ActWriter(settings, topic)
        request = await _undecided(writer, request_id)
        if check is not None:
            check(request)
        person = _second_person(read_persons(settings.persons), request)
        approval = {"request": request.id, "act": request.fields["act"], "person": person}
        await writer.write("approval", approval)
        return request


async def refuse(
    settings: Settings, request_id: str, reason: str, open_topic: OpenActTopic = open_act_topic
) -> ApprovalRequest:
    """Record that a request is refused, or withdrawn by who asked.

    Raises ApprovalError, also where it is being carried out already: whichever is recorded first
    counts.
    """
    async with open_topic(settings) as topic:
        writer = ActWriter(settings, topic)
        request = await _undecided(writer, request_id)
        persons, user = read_persons(settings.persons), operating_user()
        if user.user != request.fields["user"] and not persons.of([user.user]):
            raise _unknown_person(user.user)
        refusal = {"request": request.id, "act": request.fields["act"], "reason": reason}
        await writer.write("refusal", refusal)
        if (await _first_end(writer, request.id)).fields["type"] == "act":
            raise _done_before(request.id)
        return request


async def requests(
    settings: Settings, open_topic: OpenActTopic = open_act_topic
) -> list[ApprovalRequest]:
    """Return the requests of the last days, oldest first, with what became of them."""
    async with open_topic(settings) as topic:
        return await _requests(ActWriter(settings, topic))


async def decisions(
    settings: Settings, since: datetime, open_topic: OpenActTopic = open_act_topic
) -> dict[int, Entry]:
    """Read, by offset, the requests since a moment, and what was decided of any since then."""
    async with open_topic(settings) as topic:
        entries = await ActWriter(settings, topic).entries(since)
    return {
        entry.record.offset: entry
        for entry in entries
        if entry.fields["type"] == "request" or "request" in entry.fields
    }


async def _requests(writer: ActWriter) -> list[ApprovalRequest]:
    entries = await writer.entries(horizon() - timedelta(days=STALE_DAYS))
    return requests_of(entries, horizon())


def horizon() -> datetime:
    """Return the moment before which a request is stale."""
    return datetime.now(UTC) - timedelta(days=STALE_DAYS)


def requests_of(entries: Sequence[Entry], stale_before: datetime) -> list[ApprovalRequest]:
    """Return the requests among records, oldest first, with what became of them."""
    found = {
        entry.fields["id"]: ApprovalRequest(entry.fields)
        for entry in entries
        if entry.fields["type"] == "request"
    }
    for entry in entries:
        request, kind = found.get(entry.fields.get("request", "")), entry.fields["type"]
        state = {"approval": APPROVED, "act": "carried out", "refusal": "refused"}.get(kind)
        if request is None or state is None or request.state in {"carried out", "refused"}:
            continue
        request.state = state
        if kind != "act":
            request.decided_by, request.decided_at = entry.fields["user"], entry.fields["at"]
    for request in found.values():
        is_old = datetime.fromisoformat(request.fields["at"]) < stale_before
        if is_old and request.state in {OPEN, APPROVED}:
            request.state = "stale"
    return list(found.values())


async def _undecided(writer: ActWriter, request_id: str) -> ApprovalRequest:
    """Return a request that can still be decided. Raises ApprovalError."""
    for request in await _requests(writer):
        if request.id != request_id:
            continue
        if request.state in {OPEN, APPROVED}:
            return request
        if request.state == "carried out":
            raise _done_before(request_id)
        raise ApprovalError(
            f"request {request_id} is {request.state}; have it asked for again if it is to be done"
        )
    raise ApprovalError(
        f"there is no request {request_id}; `refusion approvals list` shows those that wait"
    )


def _second_person(persons: Persons, request: ApprovalRequest) -> str:
    """Return the person who approves. Raises ApprovalError where it is not another one."""
    user = operating_user()
    own, asking = persons.of([user.user]), persons.of(request.names)
    if not own:
        raise _unknown_person(user.user)
    if not persons.of([request.fields["user"]]):
        raise ApprovalError(
            f"request {request.id} was asked for by {request.fields['user']}, who is not in the"
            " file of persons (REFUSION_PERSONS), and so may be yourself; have the file completed"
        )
    if persons.of(user.names) & asking:
        raise ApprovalError(
            f"request {request.id} is your own: another person approves it; withdraw it with"
            " --refuse"
        )
    _check_owner(persons, own | asking)
    (person,) = own
    return person


def _check_owner(persons: Persons, acting: frozenset[str]) -> None:
    """Raise ApprovalError where one who asks or approves may change who is which person."""
    if found := persons.of([persons.owner]) & acting:
        raise ApprovalError(
            f"the file of persons (REFUSION_PERSONS) belongs to {persons.owner}, a user of"
            f" {min(found)}, who asks or approves and could make two persons of one; give the file"
            " to somebody else, such as root"
        )


def _unknown_person(user: str) -> ApprovalError:
    return ApprovalError(
        f"{user} is not in the file of persons (REFUSION_PERSONS), and may not approve"
    )
