"""Dialogues with brokers: one script each, which a simulated and a real broker must answer alike.

A side (`simulated_side.py`, `tests/kafka/real_side.py`) has the requests that the client library
sends. Each gives an answer, or the name of the error with which the broker refused. Where a broker
asks to come again (`CONCURRENT_TRANSACTIONS`), the side does so. Each dialogue
returns the answers that are compared.
"""

ID, GROUP = "the-id", "the-group"
COMMIT, ABORT = "commit", "abort"


async def a_fenced_producer_cannot_write_nor_commit(side):
    """Whoever starts with the same id ends the transaction of the one before."""
    old = await side.init(ID)
    answers = [
        await side.add(old, 0),
        await side.produce(old, 0, 0, [b"old"]),
    ]
    new = await side.init(ID)
    answers += [
        await side.produce(old, 0, 1, [b"too late"]),
        await side.add(old, 1),
        await side.note(old, 5),
        await side.end(old, COMMIT),
        await side.read(0),
        await side.add(new, 0),
        await side.produce(new, 0, 0, [b"new"]),
        await side.end(new, COMMIT),
    ]
    return [*answers, await side.settled(0), await side.read(0), await side.bounds(0)]


async def a_zombie_that_commits_last_changes_nothing(side):
    """A producer that stood still finds its transaction aborted, and the id another's."""
    zombie = await side.init(ID)
    answers = [
        await side.add(zombie, 0),
        await side.produce(zombie, 0, 0, [b"zombie"]),
        await side.note(zombie, 7),
    ]
    new = await side.init(ID)
    answers += [
        await side.add(new, 0),
        await side.produce(new, 0, 0, [b"new"]),
        await side.note(new, 3),
        await side.end(new, COMMIT),
        await side.end(zombie, COMMIT),
    ]
    return [*answers, await side.settled(0), await side.read(0), await side.committed()]


async def a_commit_whose_answer_was_lost_is_asked_for_again(side):
    """The same request once more is answered alike; the opposite one is refused."""
    producer = await side.init(ID)
    await side.add(producer, 0)
    await side.produce(producer, 0, 0, [b"once"])
    answers = [await side.end(producer, COMMIT), await side.end(producer, COMMIT)]
    answers += [await side.end(producer, ABORT), await side.settled(0), await side.read(0)]
    again = await side.init(ID)
    return [*answers, await side.end(again, COMMIT), await side.bounds(0)]


async def a_transaction_without_a_writer_ends_by_itself(side):
    """After its timeout it is aborted, and its producer is fenced."""
    producer = await side.init(ID, timeout_s=1.0)
    await side.add(producer, 0)
    await side.produce(producer, 0, 0, [b"left"])
    before = await side.bounds(0)
    answers = [before, await side.settled(0), await side.read(0), await side.bounds(0)]
    answers += [await side.produce(producer, 0, 1, [b"late"]), await side.end(producer, COMMIT)]
    return answers


async def nothing_behind_an_open_transaction_is_read(side):
    """Readers of committed data stop at the last stable offset; markers take offsets."""
    producer, plain = await side.init(ID), await side.init(None)
    await side.add(producer, 0)
    answers = [
        await side.produce(plain, 0, 0, [b"before"]),
        await side.produce(producer, 0, 0, [b"within"]),
        await side.produce(plain, 0, 1, [b"behind", b"it"]),
        await side.read(0),
        await side.bounds(0),
        await side.end(producer, COMMIT),
        await side.settled(0),
        await side.read(0),
        await side.bounds(0),
    ]
    await side.add(producer, 0)
    answers.append(await side.produce(producer, 0, 1, [b"taken back"]))
    answers += [await side.end(producer, ABORT), await side.settled(0)]
    return [*answers, await side.read(0), await side.bounds(0)]


async def a_batch_that_comes_twice_is_there_once(side):
    """Brokers know a producer's last five batches; one that does not follow is refused."""
    plain = await side.init(None)
    answers = [await side.produce(plain, 0, at, [b"%d" % at]) for at in range(7)]
    answers += [await side.produce(plain, 0, at, [b"%d" % at]) for at in (6, 4, 2, 9)]
    return [*answers, await side.read(0), await side.bounds(0)]


async def a_batch_that_comes_after_its_transaction_is_refused(side):
    """A partition takes a batch of a transaction only where it was added to it."""
    producer = await side.init(ID)
    await side.add(producer, 0)
    answers = [await side.produce(producer, 0, 0, [b"in time"]), await side.end(producer, COMMIT)]
    answers += [await side.settled(0), await side.produce(producer, 0, 1, [b"late"])]
    return [*answers, await side.read(0), await side.bounds(0)]


async def positions_count_with_their_transaction(side):
    """A position of an aborted transaction is none."""
    producer = await side.init(ID)
    await side.note(producer, 4)
    answers = [await side.end(producer, ABORT), await side.settled(0), await side.committed()]
    await side.add(producer, 0)
    await side.produce(producer, 0, 0, [b"with it"])
    await side.note(producer, 9)
    answers += [await side.committed(), await side.end(producer, COMMIT), await side.settled(0)]
    return [*answers, await side.committed_is(9), await side.read(0)]


async def a_static_member_comes_back_to_its_partitions(side):
    """A new process in a member's place has its partitions at once; the old one is no member."""
    old = await side.join("one")
    answers = [old.partitions, await side.heartbeat(old), await side.commit(old, 3)]
    new = await side.join("one")
    answers += [new.partitions, new.generation == old.generation]
    answers += [await side.heartbeat(old), await side.commit(old, 4), await side.heartbeat(new)]
    return [*answers, await side.commit(new, 5), await side.committed()]


async def all_give_back_before_another_member_works(side):
    """A second member lets all join again; positions of the generation before are refused."""
    one = await side.join("one")
    both = await side.join_beside("two", one)
    again, two = both
    answers = [sorted([*again.partitions, *two.partitions]), len(two.partitions)]
    answers += [again.generation == two.generation > one.generation]
    answers += [await side.heartbeat(again), await side.heartbeat(two)]
    answers += [await side.heartbeat(one), await side.commit(one, 2), await side.commit(again, 2)]
    return [*answers, await side.leave(two), await side.heartbeat(two)]


async def what_retention_has_taken_is_out_of_range(side):
    """A position before the start of a partition is refused, one at it is not."""
    plain = await side.init(None)
    await side.produce(plain, 0, 0, [b"a", b"b", b"c"])
    await side.expire(0, 2)
    return [await side.bounds(0), await side.fetch(0, 1), await side.fetch(0, 2)]


async def compaction_keeps_the_latest_of_each_key_and_the_end(side):
    """Records that have a later one with their key go; a position among them is not refused."""
    plain = await side.init(None)
    keyed = [(b"k", b"1"), (b"k", b"2"), (b"l", b"3"), (b"k", b"4"), (b"end", b"5")]
    for at, record in enumerate(keyed):
        await side.produce_keyed(plain, 0, at, [record])
        await side.pass_a_segment()
    return [await side.compacted(0, 3), (await side.fetch(0, 0))[:1]]


TELLING = a_fenced_producer_cannot_write_nor_commit
QUICK = (
    a_zombie_that_commits_last_changes_nothing,
    a_commit_whose_answer_was_lost_is_asked_for_again,
    nothing_behind_an_open_transaction_is_read,
    a_batch_that_comes_twice_is_there_once,
    a_batch_that_comes_after_its_transaction_is_refused,
    positions_count_with_their_transaction,
    a_static_member_comes_back_to_its_partitions,
    all_give_back_before_another_member_works,
    what_retention_has_taken_is_out_of_range,
)
SLOW = (
    a_transaction_without_a_writer_ends_by_itself,
    compaction_keeps_the_latest_of_each_key_and_the_end,
)
