"""How far a consumer group is, asked of the brokers by whoever is not in it."""

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupCoordinatorNotAvailableError


async def committed_offsets(admin: AIOKafkaAdminClient, group: str) -> dict[int, int]:
    """By partition where the group goes on; nothing for a partition that it never began."""
    try:
        found = await admin.list_consumer_group_offsets(group)
    except (
        GroupCoordinatorNotAvailableError
    ):  # a cluster's very first group: its coordinator is being made
        return {}
    return {at.partition: each.offset for at, each in found.items() if each.offset >= 0}
