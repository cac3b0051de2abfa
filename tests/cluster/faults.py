"""A fault breaks something of a real cluster, and mends it again."""

import asyncio
import signal
import time
from contextlib import contextmanager

from streams.kafka import topics
from streams.kafka.clients import KafkaClients
from streams.kafka.errors import KafkaError
from tests.cluster.machines import wait_for

STOPS_S = (1, 1, 2, 2, 3, 5, 8, 12, 20, 40)
"""Lengths of SIGSTOP; a session of a group ends after some of them, a transaction's too."""
FILL_BLOCK = 1 << 20


class Faults:
    """The faults of a cluster, by name; `longest_s` bounds how long one lasts."""

    def __init__(self, kafka, workers, settings, chance, longest_s, small_disk):
        self.kafka, self.workers, self.settings = kafka, workers, settings
        self.chance, self.longest_s, self._small_disk = chance, longest_s, small_disk
        self.doings = {
            "worker killed": self.worker_killed,
            "worker stopped": self.worker_stopped,
            "disk removed": self.disk_removed,
            "broker killed": self.broker_killed,
            "broker bounced": self.broker_bounced,
            "controller chased": self.controller_chased,
            "leader chased": self.leader_chased,
            "two brokers gone": self.two_brokers_gone,
            "connections cut": self.connections_cut,
            "connections delayed": self.connections_delayed,
            "connections half-closed": self.connections_half_closed,
            "requests swallowed": self.requests_swallowed,
            "all workers killed": self.all_workers_killed,
        }
        if small_disk is not None:
            self.doings["disk full"] = self.disk_full
        if any(worker.has_own_clock for worker in workers):
            self.doings["clock set"] = self.clock_set

    def _sleep(self, *seconds):
        time.sleep(min(self.longest_s, self.chance.choice(seconds)))

    # --- workers ----------------------------------------------------------------------------------

    def worker_killed(self):
        worker = self.chance.choice(self.workers)
        worker.kill()
        self._sleep(0, 0.2, 1, 4)
        worker.start()

    def all_workers_killed(self):
        for worker in self.workers:
            worker.kill()
        self._sleep(0, 1)
        for worker in self.workers:
            worker.start()

    def worker_stopped(self):
        worker = self.chance.choice(self.workers)
        worker.signal(signal.SIGSTOP)
        self._sleep(*STOPS_S)
        worker.signal(signal.SIGCONT)

    def disk_removed(self):
        worker = self.chance.choice(self.workers)
        worker.kill()
        worker.forget_disk()
        worker.start()

    def disk_full(self):
        """The first worker's disk is small; a file fills it for a while."""
        path = self._small_disk.folder / "filler"
        try:
            with path.open("wb", buffering=0) as file:
                while file.write(bytes(FILL_BLOCK)) == FILL_BLOCK:
                    pass
        except OSError:
            pass
        self._sleep(3, 6, 10)
        path.unlink()

    def clock_set(self):
        """The last worker's clock goes forward and back."""
        worker = next(worker for worker in self.workers if worker.has_own_clock)
        for seconds in self.chance.sample([3_600, -3_600, 86_400, -86_400, 90, -90], 2):
            worker.set_clock(seconds)
            self._sleep(2, 4)
        worker.set_clock(0)

    # --- brokers ----------------------------------------------------------------------------------

    def broker_killed(self):
        self._bounce(self.chance.choice(self._numbers()), hard=True)

    def broker_bounced(self):
        self._bounce(self.chance.choice(self._numbers()), hard=False)

    def controller_chased(self):
        for _ in range(2):
            self._bounce(self.kafka.controller(), hard=True)

    def leader_chased(self):
        """The leader of a partition of ours, or of the transactions' coordinator."""
        topic = self.chance.choice(
            ["__transaction_state", "__consumer_offsets"]
            + [
                self.settings.topic(topic)
                for topic in (topics.REPORTS, topics.CITIZENS, topics.POSTINGS)
            ]
        )
        self._bounce(asyncio.run(self._leader_of(topic)), hard=True)

    async def _leader_of(self, topic):
        try:
            async with KafkaClients(
                self.settings.bootstrap, "cluster-test", 5_000
            ).admin() as admin:
                (told,) = await admin.describe_topics([topic])
        except (KafkaError, OSError, TimeoutError):
            return self._numbers()[0]
        leaders = [part["leader"] for part in told["partitions"] if part["leader"] > 0]
        return self.chance.choice(leaders or self._numbers())

    def two_brokers_gone(self):
        self._wait_for_brokers()
        gone = self.chance.sample(self._numbers(), 2)
        self.kafka.kill(*gone)
        self._sleep(2, 5, 10, 15)
        for number in gone:
            self.kafka.begin(number)

    def _bounce(self, number, *, hard):
        self._wait_for_brokers()
        if hard:
            self.kafka.kill(number)
            self._sleep(0, 1, 3)
        else:
            node = self.kafka.node(number)
            node.signal(signal.SIGTERM)
            node.wait(time.monotonic() + 10)
        self.kafka.begin(number)

    def _wait_for_brokers(self):
        """Mostly let brokers that come back come back first; other faults do not wait for them."""
        if self.chance.random() < 0.8:
            wait_for(
                lambda: all(map(self.kafka.node_listens, self._numbers())), "a broker's return"
            )

    def _numbers(self):
        return [node.number for node in self.kafka.nodes]

    # --- network ----------------------------------------------------------------------------------

    def connections_cut(self):
        for _ in range(self.chance.choice([1, 3, 6])):
            self.kafka.proxy.cut(*self.chance.sample(self._numbers(), self.chance.choice([1, 3])))
            time.sleep(0.3)

    def connections_half_closed(self):
        self.kafka.proxy.half_close(*self._numbers())
        self._sleep(1, 3)

    def connections_delayed(self):
        with self._changed(self.kafka.proxy.delay_s, self.chance.choice([0.05, 0.3, 1.0])):
            self._sleep(2, 4, 8)

    def requests_swallowed(self):
        """Requests and answers get lost; then the connections end."""
        with self._changed(self.kafka.proxy.swallows, True):
            self._sleep(1, 2, 4)
        self.kafka.proxy.cut(*self._numbers())

    @contextmanager
    def _changed(self, settings, value):
        numbers = self.chance.sample(self._numbers(), self.chance.choice([1, 1, 3]))
        before = {number: settings[number] for number in numbers}
        settings.update(dict.fromkeys(numbers, value))
        try:
            yield
        finally:
            settings.update(before)
