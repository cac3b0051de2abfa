"""Timeouts and batch sizes of the batch loop, with the reason for each value."""

from typing import Final

SESSION_S: Final = 6.0
"""Seconds without a heartbeat after which the group gives a member's partitions to others.

A killed worker's partitions stand still for as long, so it is the least that brokers accept by
default (`group.min.session.timeout.ms`). A process that comes back earlier to the same state folder
gets its partitions without that wait (static membership)."""
HEARTBEAT_S: Final = 1.0
"""Seconds between heartbeats.

A member hears of a rebalance with its next heartbeat, so it bounds a hand-over. Six fit in a
session."""
REVOCATION_S: Final = 0.6 * SESSION_S
"""Seconds that a revocation waits for commits; the rest of a session is left to join again."""
PAUSE_S: Final = 2 * HEARTBEAT_S
"""Seconds of pause after a failure.

A process that lost its partitions hears so within two heartbeats, and must not fence the rightful
owner by beginning at step 1 before that."""
SLOW_S: Final = SESSION_S / 4
"""Seconds of the processor in step 3, after which it may be to blame that the process stood still.

It stands still where step 3 takes more than half of a session."""
COMMIT_S: Final = 20.0
"""Seconds for all of step 4.

It takes 0.05 s, but a broker's restart has to fit in. The client itself has no limit."""
TRANSACTION_TIMEOUT_S: Final = 30.0
"""Seconds after which brokers end an abandoned transaction whose partition nobody took over.

Longer than `COMMIT_S`, so that no transaction ends while its writer is still waiting."""
NEW_MEMBER_S: Final = SESSION_S + HEARTBEAT_S
"""Seconds that a new member waits before it joins a group that has others.

One of them may just have died, and a join would let the partitions of all stand still until its
session is over. Meanwhile the others do the work."""
FETCH_S: Final = 1.0
"""Seconds that one fetch waits for records.

It returns with the first record; the bound only lets errors be heard."""
RETRY_S: Final = 1.0
"""Seconds between two attempts to reach the brokers: cheap, and few after their start are lost."""
STOP_S: Final = 3.0
"""Seconds for leaving the group, and again for closing connections at the end.

Both hang without a broker. A connection that takes longer dies with the process, which so stays
within the ten seconds that Docker gives it."""

BATCH_RECORDS: Final = 4_000
"""Records in the largest batch; fewer cost speed (500 half of it), more only memory."""
SMALL_RECORDS: Final = 200
"""Records from which on a batch takes a share of the process's budget.

At an even load smaller batches would only wait for the commits of others."""
LINGER_S: Final = 0.1
"""Seconds from the first records of a small batch to its start.

Without it many partitions commit a few records at a time, and the brokers have more work with
transactions than with records."""
BATCHES_AT_WORK: Final = 4
"""Batches at a time in a process: 16,000 records bound its memory.

One is processed while others are compressed and wait for their commits. With three there is
sometimes none to process: the citizens stage alone is a sixth slower, the peak 14 MB lower."""
