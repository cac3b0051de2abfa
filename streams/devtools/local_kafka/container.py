"""Prepares the secured broker of docker-compose.yml: files before its start, rights after it.

    python -m streams.devtools.local_kafka.container files --folder /security --client /client
    python -m streams.devtools.local_kafka.container rights --folder /security

The broker's image knows no users of ours, so the files hold all that its start needs: the
certificate, a password for each role, its properties, and the script that makes its folder. The
worker gets the certificate and its own password alone, in a folder of its own.
"""

import argparse
import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from streams.devtools.local_kafka.broker import replica_properties
from streams.devtools.local_kafka.secured import ADMIN, MECHANISM, Credentials, write_ours
from streams.kafka.clients import KafkaClients
from streams.kafka.rights import ROLES, STAGES, Right, TopicNames, give_rights, rights_of
from streams.kafka.security import BrokerAddress
from streams.kafka.topics import ensure_topics
from streams.settings import Settings

WORKER: Final = "worker"
"""The principal of a worker that runs all stages, with the rights of each."""
PORT: Final = 9093
HOST: Final = "kafka-secured"
CLUSTER_ID: Final = "cmVmdXNpb24tc2VjLTAwMQ"
DATA: Final = "/var/lib/kafka/data/log"
"""The broker's folder, in a volume that its image has made for any user of the group of root."""
CLIENT: Final = "local-kafka"
START: Final = """\
set -euf
principals=$(cat {folder}/principals)
if [ ! -e {data}/meta.properties ]; then
  cd {folder}
  /opt/kafka/bin/kafka-storage.sh format -t {cluster} -c server.properties $principals
fi
exec /opt/kafka/bin/kafka-server-start.sh {folder}/server.properties
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Do what the arguments name."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["files", "rights"])
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--client", type=Path, help="the folder of what the worker may see")
    options = parser.parse_args(arguments)
    credentials = Credentials(options.folder, [*ROLES, WORKER], hosts=(HOST,))
    if options.what == "files":
        write_files(credentials, options.folder)
        if options.client:
            for path in (credentials.ca_file, credentials.password_file(WORKER)):
                write_ours(options.client / path.name, path.read_bytes())
    else:
        asyncio.run(prepare(credentials, Settings.load()))


def write_files(credentials: Credentials, folder: Path) -> None:
    """Write what the broker starts with; certificates and passwords that are there stay."""
    credentials.make()
    logon = {
        "security.protocol": credentials.protocol,
        "sasl.mechanism": MECHANISM,
        "sasl.jaas.config": credentials.login_line(ADMIN),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(credentials.ca_file),
    }
    files = {
        "server.properties": _lines(server_properties(credentials)),
        "client.properties": _lines(logon),
        "principals": "\n".join(credentials.format_arguments()),
        "start.sh": START.format(data=DATA, cluster=CLUSTER_ID, folder=folder),
    }
    for name, text in files.items():
        write_ours(folder / name, text.encode())


def server_properties(credentials: Credentials) -> dict[str, str]:
    """Return the properties of the one broker, which is its own controller."""
    return {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": "1@localhost:29093",
        "listeners": f"{credentials.protocol}://:{PORT},CONTROLLER://localhost:29093",
        "advertised.listeners": f"{credentials.protocol}://{HOST}:{PORT}",
        "controller.listener.names": "CONTROLLER",
        "log.dirs": DATA,
        **replica_properties(1, 1),
        **credentials.properties(),
    }


async def prepare(credentials: Credentials, settings: Settings) -> None:
    """Make the topics, which no role of a worker may, and give each role its rights."""
    address = BrokerAddress(f"{HOST}:{PORT}", credentials.logon(ADMIN))
    await ensure_topics(address, settings.prefix, settings.partitions)
    await give_rights(KafkaClients(address, CLIENT), rights_by_principal(settings))


def rights_by_principal(names: TopicNames) -> dict[str, list[Right]]:
    """Return what each principal may do; the worker has what its stages have."""
    rights = {f"User:{role}": rights_of(role, names) for role in ROLES}
    of_stages = [right for stage in STAGES for right in rights_of(stage, names)]
    return {**rights, f"User:{WORKER}": list(dict.fromkeys(of_stages))}


def _lines(properties: dict[str, str]) -> str:
    return "".join(f"{name}={value}\n" for name, value in properties.items())


if __name__ == "__main__":
    main()
