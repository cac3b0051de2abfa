"""Reads the file of destinations: to which server each municipality's files go.

    - municipality: "730"
      to: sftp://refusion@sftp.example/ind
      host_key: SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU

An address or a host key that somebody changed brings a municipality's CPR numbers to a stranger. So
the file is used only as two persons have confirmed it: its SHA-256 stands in the topic `access`.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, NamedTuple

from domain.ruledata.ruleset import RuleError
from streams.acts.acts import Act
from streams.acts.confirmed import is_confirmed
from streams.acts.four_eyes import GuardedAct
from streams.acts.topic import OpenActTopic, open_act_topic
from streams.citizens.rule_sets import read_document
from streams.kit.errors import UserError
from streams.kit.private_files import private_copies
from streams.ledger.delivery import Delivered, FileDelivery, Progress, ServerAddress
from streams.ledger.receipts import DeliveryError, ExportedFile, receipts_in
from streams.settings import Settings
from streams.settings_table import DESTINATIONS

FIELDS: Final = {"municipality", "to", "host_key"}
HOST_KEY: Final = re.compile(r"SHA256:[A-Za-z0-9+/]{43}")
"""The form in which `ssh-keygen -lf` shows a fingerprint."""
ACT: Final = "destinations"


class DestinationError(UserError):
    """The file of destinations cannot be used; the message says why and what to do."""


class Destination(NamedTuple):
    """The address of a municipality's folder, and the fingerprint of its server's host key."""

    municipality: str
    address: ServerAddress
    host_key: str


class Destinations(NamedTuple):
    """The file: its path, the SHA-256 of its content, and the destination of each municipality."""

    path: Path
    sha256: str
    of: Mapping[str, Destination]

    def guarded(self) -> GuardedAct:
        """The act by which two persons confirm this content."""
        return GuardedAct(self._act(), ["destinations", "--confirm"], {str(self.path): self.path})

    async def are_confirmed(
        self, settings: Settings, open_topic: OpenActTopic = open_act_topic
    ) -> bool:
        """True if this content was confirmed; in demo mode without brokers it need not be."""
        return await is_confirmed(settings, self._act(), open_topic)

    def _act(self) -> Act:
        return Act(ACT, {"sha256": self.sha256, "municipalities": len(self.of)})


def read_destinations(settings: Settings) -> Destinations:
    """Read the file that is set. Raises DestinationError."""
    path = settings.destinations
    if path is None:
        raise DestinationError(
            f"{DESTINATIONS.name} is not set; set it to a file of destinations, or give one address"
            " with --to"
        )
    try:
        with private_copies({"": path}) as copies:  # what is parsed is what is confirmed
            entries = read_document(copies[""].parent, path.name)
            content = copies[""].read_bytes()
    except RuleError as error:
        raise DestinationError(f"{DESTINATIONS.name}: {error}") from error
    except OSError as error:
        raise DestinationError(f"{DESTINATIONS.name}: {path}: {error.strerror}") from error
    if not isinstance(entries, list) or not entries:
        raise DestinationError(f"{DESTINATIONS.name}: {path} is not a list of destinations")
    read: dict[str, Destination] = {}
    for number, entry in enumerate(entries, 1):
        destination = _destination(entry, f"{DESTINATIONS.name}: {path.name}: entry {number}")
        if destination.municipality in read:
            raise DestinationError(
                f"{DESTINATIONS.name}: {path.name}: entry {number}: municipality"
                f" {destination.municipality} has an entry already"
            )
        for other in read.values():
            _check_apart(destination, other, f"{DESTINATIONS.name}: {path.name}: entry {number}")
        read[destination.municipality] = destination
    return Destinations(path.resolve(), sha256(content).hexdigest(), read)


def _check_apart(one: Destination, other: Destination, place: str) -> None:
    """Refuse one folder for the files of two municipalities. Raises DestinationError.

    Files have CPR numbers that no other municipality may see.
    """
    where, whose = (
        (each.address.server, each.address.user, each.address.folder_of(each.municipality))
        for each in (one, other)
    )
    if where == whose:
        raise DestinationError(
            f"{place}: the files of {one.municipality} would go to the folder of"
            f" {other.municipality}; give each municipality a folder of its own, such as one with"
            " {municipality} in its name"
        )


def _destination(entry: Any, place: str) -> Destination:
    if not isinstance(entry, dict) or entry.keys() != FIELDS:
        raise DestinationError(f"{place}: it must have municipality, to and host_key")
    if not all(isinstance(value, str) for value in entry.values()):
        raise DestinationError(f"{place}: each field must be a text, in quotation marks")
    if not re.fullmatch("[0-9]{3}", entry["municipality"]):
        raise DestinationError(f"{place}: municipality must be a code such as 730")
    if not HOST_KEY.fullmatch(entry["host_key"]):
        raise DestinationError(
            f"{place}: host_key must be a fingerprint as `ssh-keygen -lf` shows it: SHA256:…"
        )
    try:
        address = ServerAddress.of(entry["to"])
    except DeliveryError as error:
        raise DestinationError(f"{place}: {str(error).replace('--to', 'to')}") from error
    return Destination(entry["municipality"], address, entry["host_key"])


class Shipment(NamedTuple):
    """Files for one server; all of them, if `host_key` is "", have its key in the known hosts."""

    address: ServerAddress
    host_key: str
    files: Sequence[ExportedFile]


def shipments_of(files: Iterable[ExportedFile], destinations: Destinations) -> list[Shipment]:
    """Put the files for each folder together. Raises DestinationError for one without."""
    sorted_files: dict[tuple[ServerAddress, str], list[ExportedFile]] = defaultdict(list)
    missing: set[str] = set()
    for file in files:
        destination = destinations.of.get(file.municipality)
        if destination is None:
            missing.add(file.municipality)
        else:
            sorted_files[destination.address, destination.host_key].append(file)
    if missing:
        raise DestinationError(
            f"{destinations.path.name} has no destination for {', '.join(sorted(missing))}; nothing"
            " was delivered: add them and have the file confirmed, or deliver one with"
            " --municipality"
        )
    return [Shipment(*where, of_one) for where, of_one in sorted_files.items()]


async def deliver_all(
    settings: Settings, shipments: Sequence[Shipment], progress: Progress
) -> Delivered:
    """Deliver to one server after the other; one that fails stops no other.

    Raises DeliveryError at the end, with the reasons of all.
    """
    done, total = Delivered(), sum(len(shipment.files) for shipment in shipments)
    failures: list[str] = []
    for shipment in shipments:
        before = done.files + done.found + done.passed_over
        try:
            with receipts_in(settings.operations_dir, shipment.address.server) as receipts:
                delivery = FileDelivery(settings, shipment.address, receipts, shipment.host_key)
                try:
                    await delivery.deliver(shipment.files, _shifted(progress, before, total))
                finally:
                    done.add(delivery.done)
        except DeliveryError as error:
            failures.append(str(error))
    if failures:
        raise DeliveryError(
            failures[0]
            if len(shipments) == 1
            else f"{len(failures)} of {len(shipments)} servers: {'; '.join(failures)}"
            f" ({done.sentence()})"
        )
    return done


def _shifted(progress: Progress, before: int, total: int) -> Callable[[int, int], None]:
    return lambda done, _total: progress(before + done, total)
