"""A consumer group, described by the brokers to whoever is not in it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment
from aiokafka.errors import GroupAuthorizationFailedError, GroupCoordinatorNotAvailableError

AT_VERSION: Final = "@"
"""Sign before the version in a client id, as in `refusion-3f2a@0.1.0-7-3-1`: so anybody can ask a
group of which versions its members are."""


def name_in(client_id: str) -> str:
    """The name in a client id, without its version."""
    return client_id.partition(AT_VERSION)[0]


def version_in(client_id: str) -> str:
    """The version in a client id; "" where it has none."""
    return client_id.partition(AT_VERSION)[2]


def makes_macs(client_id: str) -> bool:
    """Tell whether a worker marks its records: its version ends with that of the MACs.

    >>> makes_macs("refusion-3f2a@0.1.0-7-3-1"), makes_macs("refusion-3f2a@0.1.0-7-3")
    (True, False)
    """
    return version_in(client_id).count("-") >= len(("calculation", "state", "MACs"))


async def committed_offsets(admin: AIOKafkaAdminClient, group: str) -> dict[int, int]:
    """Return where the group goes on, by partition; nothing for one that it never began."""
    try:
        with _named(group):
            offsets = await admin.list_consumer_group_offsets(group)
    except GroupCoordinatorNotAvailableError:  # the cluster is about to make its first group's
        return {}
    return {
        at.partition: committed.offset for at, committed in offsets.items() if committed.offset >= 0
    }


async def client_ids(admin: AIOKafkaAdminClient, group: str) -> list[str]:
    """The client ids of the group's members; none where there is no such group."""
    return [client_id for client_id, _ in await _members(admin, group)]


async def assignments(admin: AIOKafkaAdminClient, group: str) -> dict[str, list[int]]:
    """The partitions that each member of the group has, by client id."""
    return {
        client_id: _partitions_in(assignment)
        for client_id, assignment in await _members(admin, group)
    }


def _partitions_in(assignment: bytes) -> list[int]:
    if not assignment:
        return []
    decoded = ConsumerProtocolMemberAssignment.decode(assignment)
    return sorted(at.partition for at in decoded.partitions())


async def _members(admin: AIOKafkaAdminClient, group: str) -> list[tuple[str, bytes]]:
    """Client id and assignment of each member."""
    try:
        with _named(group):
            (response,) = await admin.describe_consumer_groups([group])
    except GroupCoordinatorNotAvailableError:  # as above
        return []
    ((_code, _group, _state, _type, _protocol, members, *_),) = response.groups
    return [(client_id, assignment) for _id, client_id, *_, assignment in members]


@contextmanager
def _named(group: str) -> Iterator[None]:
    """Name the group in the error of a missing right, which aiokafka leaves out."""
    try:
        yield
    except GroupAuthorizationFailedError:
        raise GroupAuthorizationFailedError(group) from None
