"""`refusion repair transactions` ends transactions that hang in our topics.

Before it ends any, the act is recorded. What a transaction of the citizens stage wrote is of no
effect then, in none of its topics: the worker does those reports again. Where such a transaction
hangs in some of its topics and may be committed in others, they would part, so it is left alone:
see `split_producers`.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from typing import Final, NamedTuple

from streams.acts.acts import Act, record_act
from streams.kafka import topics
from streams.kafka.clients import KafkaClients
from streams.kafka.errors import explained
from streams.kafka.hanging_transactions import HangingTransaction, abort, find_hanging
from streams.kit.errors import UserError
from streams.settings import Settings

OLDER_THAN_S: Final = 900
"""Seconds that no transaction may last, unless the brokers' `transaction.max.timeout.ms` is set."""
TOGETHER: Final = (topics.CITIZENS, topics.POSTINGS)
"""Topics to which the citizens stage writes in one transaction, and reads its state from."""
AGAIN: Final = "ask again"


class RepairError(UserError):
    """Transactions cannot be found or ended; the message says why and what to do."""


class Repair(NamedTuple):
    """The transactions that hang, and the producers whose transactions must not be ended."""

    hanging: Sequence[HangingTransaction]
    split: Collection[int]
    ended: bool


async def repair_transactions(
    settings: Settings, *, apply: bool, older_than_s: float = OLDER_THAN_S
) -> Repair:
    """Find what hangs; with `apply` end it, after the act is recorded. Raises UserError."""
    clients = KafkaClients(settings.bootstrap, "refusion-repair")
    with explained(settings.bootstrap, RepairError, advice=AGAIN):
        async with clients.admin() as admin:
            names = [settings.topic(topic) for topic in topics.TOPICS]
            present = set(await admin.list_topics())
            hanging = await find_hanging(
                admin, [name for name in names if name in present], _our_ids(settings), older_than_s
            )
            split = split_producers(settings, hanging)
            to_end = [each for each in hanging if each.producer not in split]
            if apply and to_end:
                await record_act(settings, _act(to_end))
                for each in to_end:
                    await abort(admin, each)
    return Repair(hanging, split, ended=apply and bool(to_end))


def split_producers(settings: Settings, hanging: Iterable[HangingTransaction]) -> set[int]:
    """Find producers whose transaction hangs in the state or in the postings, but not in both.

    What it wrote to the other one may be committed.
    """
    needed = {settings.topic(topic) for topic in TOGETHER}
    found: defaultdict[int, set[str]] = defaultdict(set)
    for each in hanging:
        if each.topic in needed:
            found[each.producer].add(each.topic)
    return {producer for producer, in_topics in found.items() if in_topics != needed}


def _our_ids(settings: Settings) -> list[str]:
    group = settings.group("citizens")
    return [f"{group}-{partition}" for partition in range(settings.partitions)]


def _act(hanging: Sequence[HangingTransaction]) -> Act:
    places = [f"{each.topic}/{each.partition}/{each.offset}" for each in hanging]
    return Act("repair transactions", {"places": places})
