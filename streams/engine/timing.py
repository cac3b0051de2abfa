"""Timeouts and batch sizes of the batch loop, with the reason for each value."""

from typing import Final

SESSION_S: Final = 6.0
"""How long the group waits for a silent member: the least that brokers accept by default
(`group.min.session.timeout.ms`), since a killed worker's partitions stand still for it. A process
that comes back earlier to the same state folder is given its partitions without that wait (static
membership)."""
HEARTBEAT_S: Final = 1.0
"""Survivors hear of a rebalance with their next heartbeat, so it bounds a hand-over; six fit in a session."""
REVOCATION_S: Final = 0.6 * SESSION_S
"""How long a revocation waits for commits: the rest of a session is left to join again in time."""
PAUSE_S: Final = 2 * HEARTBEAT_S
"""After a failure: a process that lost its partitions hears so within two heartbeats, and must
not fence the rightful owner by beginning at step 1 before."""
COMMIT_S: Final = 20.0
"""For all of step 4, which takes 0.05 s: a broker's restart fits in. The client itself has no limit."""
TRANSACTION_TIMEOUT_S: Final = 30.0
"""After which brokers end a transaction whose writer has gone and whose partition nobody took over. Longer
than `COMMIT_S`, so that a transaction never ends behind the back of a writer that is still
waiting."""
NEW_MEMBER_S: Final = SESSION_S + HEARTBEAT_S
"""How long a new member waits before it joins a group that has others: one of them may just have died, and a join
would let the partitions of all stand still until its session is over. Meanwhile the others do the
work."""
FETCH_S: Final = 1.0
"""How long one fetch waits for records. It returns with the first one; the bound only makes errors heard."""
RETRY_S: Final = 1.0
"""Between two attempts to reach a broker that is not there: cheap, and nobody waits long after its start."""
STOP_S: Final = 3.0
"""For leaving the group, and again for closing connections at the end; both hang without a broker. What takes
longer dies with the process, which stays within the ten seconds that Docker gives it."""

BATCH_RECORDS: Final = 4_000
"""Fewer cost speed (500 half of it), more only memory."""
SMALL_RECORDS: Final = 200
"""A smaller batch takes no share of the budget: at an even load it would only wait for others' commits."""
LINGER_S: Final = 0.1
"""From the first records of a small batch to its start: without it, many partitions commit a few records at a time,
and the brokers have more to do with transactions than with records."""
BATCHES_AT_WORK: Final = 4
"""One is processed while others are compressed and wait for their commits; 16,000 records bound the process's memory.
With three there is sometimes none to process: the citizens stage alone is a sixth slower, the peak
14 MB lower."""
