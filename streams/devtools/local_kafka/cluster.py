"""A cluster of local brokers."""

import asyncio
import json
import os
import shutil
import signal
import tempfile
import time
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from streams.devtools.local_kafka.broker import (
    HOST,
    JAVA_OPTIONS,
    Node,
    Ports,
    free_ports,
    is_free,
    replica_properties,
)
from streams.devtools.local_kafka.jars import LocalKafkaError, broker_jars
from streams.devtools.local_kafka.secured import ADMIN, Credentials
from streams.kafka.clients import KafkaClients
from streams.kafka.errors import KafkaError
from streams.kafka.rights import ROLES, TopicNames, give_rights, rights_of
from streams.kafka.security import BrokerAddress, Logon

START_SECONDS: Final = 90.0
"""The longest wait for a start.

2-4 s are usual; a loaded machine took ten times as long for three brokers.
"""
STOP_SECONDS: Final = 10.0
"""The longest wait for an orderly stop: 1-2 s are usual.

A broker without a majority of controllers takes longer. It gets SIGKILL then, which loses nothing
that was acknowledged.
"""
CLIENT: Final = "local-kafka"
MIN_FREE_BYTES: Final = 500 * 1000 * 1000


class LocalKafka:
    """A cluster of brokers on 127.0.0.1; acknowledged records survive a stop and a start.

    Without a folder the data is temporary: `stop` removes it, and the brokers die with this
    process, however it ends. With a folder, the data, the ports and the brokers stay. The methods
    block: an asyncio program calls them in a thread. Three nodes or more replicate three times, and
    need two replicas for an acknowledgement.
    """

    def __init__(
        self,
        nodes: int = 1,
        folder: Path | None = None,
        properties: Mapping[str, str] | None = None,
        java_options: Sequence[str] = JAVA_OPTIONS,
        principals: Sequence[str] | None = None,
        kind: type[Credentials] = Credentials,
    ) -> None:
        """`properties` are added to the broker properties of a local cluster.

        With `principals`, who may be none, the cluster is secured, and these may log on with
        credentials of a kind (see `secured.py`). A folder stays as secured as it was made.
        """
        self._java_options = java_options
        self._temporary = folder is None
        self._folder = (folder or Path(tempfile.mkdtemp(prefix="ydelsesrefusion-kafka-"))).resolve()
        self._properties = dict(properties or {})
        secured = self._folder / "security"
        self.credentials = (
            kind(self._folder, principals or ())
            if principals is not None or secured.exists()
            else None
        )
        ports = self._known_ports() or [Ports(*free_ports(2)) for _ in range(nodes)]
        self.nodes = tuple(
            Node(number, self._folder / f"node-{number}", pair)
            for number, pair in enumerate(ports, 1)
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

    def address(self, principal: str = ADMIN) -> BrokerAddress:
        """The addresses with a principal's log-on, where the cluster is secured."""
        logon = self.credentials.logon(principal) if self.credentials else Logon()
        return BrokerAddress(self.bootstrap, logon)

    async def give_roles_their_rights(self, names: TopicNames) -> None:
        """Give each principal that is called like a role the rights of that role."""
        rights = {f"User:{role}": rights_of(role, names) for role in ROLES}
        await give_rights(KafkaClients(self.address(), CLIENT), rights)

    @property
    def running(self) -> bool:
        """True if any of the brokers runs."""
        return any(node.pid is not None for node in self.nodes)

    def start(self) -> None:
        """Start the brokers that do not run, and wait until all answer.

        Raises:
            LocalKafkaError: a broker does not start or does not answer.
        """
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
        """Stop the brokers, and remove their data if it is temporary.

        Temporary brokers are killed: an orderly end would save data that nobody reads.
        """
        self._end(self.nodes, signal.SIGKILL if self._temporary else signal.SIGTERM)
        if self._temporary:
            shutil.rmtree(self._folder, ignore_errors=True)

    def kill(self, *numbers: int) -> None:
        """Kill the nodes with these numbers (from 1), or all if none is given. Their data stays."""
        self._end(
            [node for node in self.nodes if not numbers or node.number in numbers], signal.SIGKILL
        )

    def restart(self) -> None:
        """Stop all brokers, and start them with the same data and ports.

        Brokers that were killed start too.
        """
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
        """The file that is written last, when the folder of every node is complete."""
        return self._folder / "ports.json"

    def _known_ports(self) -> list[Ports]:
        return (
            [Ports(*pair) for pair in json.loads(self._layout.read_text())]
            if self._layout.exists()
            else []
        )

    def _format(self, classpath: str) -> None:
        more = []
        if self.credentials:
            self.credentials.make()
            more = self.credentials.format_arguments()
        cluster_id = urlsafe_b64encode(os.urandom(16)).rstrip(b"=").decode()
        with ThreadPoolExecutor() as pool:
            for node in self.nodes:
                shutil.rmtree(node.folder, ignore_errors=True)  # left by an interrupted start
            list(
                pool.map(
                    lambda node: node.format(self._server(node), cluster_id, classpath, more),
                    self.nodes,
                )
            )
        self._layout.write_text(json.dumps([node.ports for node in self.nodes]))

    def _server(self, node: Node) -> dict[str, str]:
        """Return the properties of a broker."""
        voters = (f"{peer.number}@{HOST}:{peer.ports.controller}" for peer in self.nodes)
        replicas = min(3, len(self.nodes))
        security = self.credentials.properties() if self.credentials else {}
        protocol = self.credentials.protocol if self.credentials else "PLAINTEXT"
        listeners = f"{protocol}://{HOST}:{node.ports.broker}"
        return {
            "process.roles": "broker,controller",
            "node.id": str(node.number),
            "controller.quorum.voters": ",".join(voters),
            "listeners": f"{listeners},CONTROLLER://{HOST}:{node.ports.controller}",
            "advertised.listeners": listeners,
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
            "log.dirs": "data",  # in the node's folder, whatever signs its name has
            **replica_properties(replicas, max(1, replicas - 1)),
            "offsets.topic.num.partitions": "12",
            "transaction.state.log.num.partitions": "12",
            **security,
        } | self._properties

    def _check_disk(self) -> None:
        free = shutil.disk_usage(self._folder).free
        if free < MIN_FREE_BYTES:
            raise LocalKafkaError(
                f"Kafka needs {MIN_FREE_BYTES // 10**6} MB of free disk in {self._folder},"
                f" there are {free // 10**6}; free some, or set TMPDIR to a folder with more"
            )

    def _wait_until_ready(self) -> None:
        """Wait until an admin client sees every broker; an open port alone means little."""
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
        if any(is_free(node.ports.broker) for node in self.nodes):
            return False
        try:
            async with KafkaClients(self.address(), CLIENT, 5_000).admin() as client:
                return len((await client.describe_cluster())["brokers"]) == len(self.nodes)
        except (KafkaError, TimeoutError, OSError):
            return False
