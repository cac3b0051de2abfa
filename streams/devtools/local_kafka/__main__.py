"""The command `python -m streams.devtools.local_kafka`: a Kafka for development, with its data."""

import argparse
import asyncio
import sys
from pathlib import Path
from typing import Final

from streams.devtools.local_kafka.cluster import LocalKafka
from streams.devtools.local_kafka.jars import VERSION, LocalKafkaError, say
from streams.kafka.rights import ROLES
from streams.kit.standard_streams import open_closed_streams
from streams.settings import Settings

SHOWN: Final = "operator"
"""The role whose log-on is printed."""
PROJECT_FOLDER: Final = Path("build/kafka")
"""The folder for the data of `make kafka`; ignored by git."""


def main() -> None:
    """Run the command that the arguments name."""
    open_closed_streams(output=True)
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(required=True)
    for run, text in (
        (start, "Start it, if it does not run, and print its address."),
        (stop, "Stop it; its data stays."),
        (address, "Print its address; the exit status is 1 if it does not run."),
    ):
        command = commands.add_parser(run.__name__, help=text, description=text)
        command.add_argument("--folder", type=Path, default=PROJECT_FOLDER)
        command.set_defaults(run=run)
        if run is start:
            command.add_argument(
                "--nodes", type=int, choices=range(1, 6), default=1, help="brokers of a new cluster"
            )
            command.add_argument(
                "--secured",
                action="store_true",
                help="a new cluster with TLS, and a principal with its rights for each role",
            )
    options = parser.parse_args()
    try:
        options.run(options)
    except LocalKafkaError as error:
        sys.exit(f"Error: {error}")
    except OSError as error:
        said = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        sys.exit(f"Error: {said}; give a folder that this user may write in with --folder")


def start(options: argparse.Namespace) -> None:
    """Start the local Kafka, if it does not run, and print its address."""
    principals = list(ROLES) if options.secured else None
    kafka = LocalKafka(options.nodes, options.folder, principals=principals)
    try:
        kafka.start()
        if kafka.credentials:
            asyncio.run(kafka.give_roles_their_rights(Settings.load()))
    except LocalKafkaError:
        kafka.stop()
        raise
    say(
        f"Apache Kafka {VERSION} runs; its data is in {options.folder},"
        " `make kafka-stop` stops it. For the program:"
    )
    _print(f"export REFUSION_BOOTSTRAP={kafka.bootstrap}")
    if kafka.credentials:
        for name, text in kafka.credentials.settings(SHOWN).items():
            _print(f"export {name}={text}")
        say(f"Other roles ({', '.join(ROLES)}) have their passwords in the same folder.")


def stop(options: argparse.Namespace) -> None:
    """Stop the local Kafka; its data stays."""
    kafka = LocalKafka(folder=options.folder)
    was_running = kafka.running
    kafka.stop()
    state = "is stopped" if was_running else "was not running"
    say(f"Apache Kafka {state}; its data is in {options.folder}")


def address(options: argparse.Namespace) -> None:
    """Print the address of the local Kafka."""
    kafka = LocalKafka(folder=options.folder)
    if not kafka.running:
        raise LocalKafkaError("no local Kafka runs; start one with `make kafka`")
    _print(kafka.bootstrap)


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    main()
