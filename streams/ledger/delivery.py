"""`refusion deliver`: the exported files of a run to a municipality's SFTP server, each once.

For each file, in the order of their names:

1. A file that has a receipt (address, name, SHA-256) is passed over. A receipt for other content is
   an error: a file that a municipality has read is not replaced.
2. The file is uploaded as `<name>.part`. If an interrupted upload has left the beginning of it
   there, the upload goes on from that.
3. Its size is compared and it is renamed, which on SFTP replaces nothing: so nobody sees half a
   file, and nobody's file is overwritten. A file that is there already, from a delivery that died
   before its receipt, is read back: the same content counts as delivered, any other is an error.
4. The receipt is appended and on disk before the next file.

The server's host key must be in the known hosts; no unknown key is accepted, and the receipt names
it. A lost connection is made again. Nobody waits without an end (`sftp.py`), and the receipts are
locked only while they are read or written: see `receipts.py`.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple
from urllib.parse import unquote, urlsplit

from streams.engine.fault_points import reached
from streams.ledger.receipts import DeliveryError, ExportedFile, Receipts
from streams.ledger.sftp import (
    RefusedLoginError,
    ServerLostError,
    UnknownHostError,
    connected,
    known_keys,
)
from streams.settings import SFTP_KEY, SFTP_KNOWN_HOSTS, Settings

TRIES: Final = 5
"""Tries in a row without a delivered file before giving up."""
WAIT_S: Final = 2.0
"""Seconds before the second try; twice as long before each one after that, 30 s in all."""
PLACEHOLDER: Final = "{municipality}"
"""Part of an address that is replaced by the code of each municipality."""
PORT: Final = 22

Progress = Callable[[int, int], None]
"""Takes the number of delivered files and the number of all."""


class ServerAddress(NamedTuple):
    """The address of a folder on an SFTP server; `{municipality}` may be part of `folder`."""

    host: str
    port: int
    user: str | None
    folder: str

    @classmethod
    def of(cls, url: str) -> "ServerAddress":
        """Read an address such as `sftp://user@host:22/folder`. Raises DeliveryError."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port or PORT
        except ValueError:
            host, port = None, PORT
        if host is None or parts.scheme != "sftp" or parts.query or parts.fragment:
            raise DeliveryError(
                "--to must be an address like sftp://user@host:22/folder/{municipality}"
            )
        if parts.password is not None:
            raise DeliveryError(
                f"--to has a password in it, which anybody can see; use a key ({SFTP_KEY.name})"
            )
        return cls(
            host,
            port,
            unquote(parts.username) if parts.username else None,
            unquote(parts.path) or "/",
        )

    def check_for_many(self) -> None:
        """Refuse an address that is the same for all municipalities. Raises DeliveryError.

        The files of one municipality have CPR numbers that no other may see.
        """
        if PLACEHOLDER not in self.folder:
            raise DeliveryError(
                f"--to is one folder for the files of all municipalities; put {PLACEHOLDER} into"
                " it, or deliver the files of one with --municipality"
            )

    def folder_of(self, municipality: str) -> str:
        """The folder of a municipality."""
        return self.folder.replace(PLACEHOLDER, municipality).rstrip("/")

    @property
    def server(self) -> str:
        """Host and port."""
        return f"{self.host}:{self.port}"

    def name(self, municipality: str) -> str:
        """The address in a receipt: without the user, who may change."""
        return f"sftp://{self.host}:{self.port}{self.folder_of(municipality)}"


@dataclass
class Delivered:
    """The summary: files `passed_over` had a receipt, files `found` were there without one."""

    files: int = 0
    bytes: int = 0
    passed_over: int = 0
    found: int = 0

    def add(self, other: "Delivered") -> None:
        """Add what was delivered to another server."""
        self.files += other.files
        self.bytes += other.bytes
        self.passed_over += other.passed_over
        self.found += other.found

    def sentence(self) -> str:
        """The summary as a sentence."""
        text = f"delivered {self.files:,} files, {self.bytes / 1e6:,.1f} MB"
        text += f"; {self.passed_over:,} were delivered before" if self.passed_over else ""
        text += f"; {self.found:,} were there already and now have a receipt" if self.found else ""
        return text


class FileDelivery:
    """Delivers files to an SFTP server."""

    def __init__(
        self, settings: Settings, address: ServerAddress, receipts: Receipts, fingerprint: str = ""
    ) -> None:
        """With a `fingerprint` the server's host key must have it; else it must be known."""
        self._settings = settings
        self._address = address
        self._receipts = receipts
        self._fingerprint = fingerprint
        self.done = Delivered()

    async def deliver(self, files: Sequence[ExportedFile], progress: Progress) -> Delivered:
        """Deliver the files that have no receipt. Raises DeliveryError."""
        left = self.without_receipt(files)
        self.done.passed_over = len(files) - len(left)
        total, tries = len(left), 0
        while left:
            before = len(left)
            try:
                await self._deliver_over_one_connection(left, total, progress)
            except UnknownHostError as error:
                raise UnknownHostError(self._unknown_host()) from error
            except RefusedLoginError as error:
                raise RefusedLoginError(self._refused()) from error
            except ServerLostError as error:
                tries = 1 if len(left) < before else tries + 1
                if tries >= TRIES:
                    raise DeliveryError(self._gone(error, len(left), total)) from error
                await asyncio.sleep(WAIT_S * 2 ** (tries - 1))
        return self.done

    async def _deliver_over_one_connection(
        self, left: list[ExportedFile], total: int, progress: Progress
    ) -> None:
        """Deliver files and take them off the list, until it is empty or the connection is lost.

        Steps 2 to 4.
        """
        async with connected(self._address.host, self._address.port, self._options()) as server:
            while left:
                file = left[0]
                if await server.put(file, self._address.folder_of(file.municipality)):
                    self.done.files += 1
                    self.done.bytes += file.size
                else:
                    self.done.found += 1
                reached("deliver", "after_commit")
                to = self._address.name(file.municipality)
                self._receipts.add(to, file, server.fingerprint)
                del left[0]
                progress(total - len(left), total)

    def _options(self) -> dict[str, Any]:
        hosts = None if self._fingerprint else self._settings.sftp_known_hosts
        options = known_keys(hosts, self._fingerprint)
        if key := self._settings.sftp_key:
            options["client_keys"] = [str(key)]
        if self._address.user:
            options["username"] = self._address.user
        return options

    def without_receipt(self, files: Sequence[ExportedFile]) -> list[ExportedFile]:
        """The files that have no receipt. Raises DeliveryError for a receipt of other content."""
        return [file for file in files if not self._is_delivered(file)]

    def _is_delivered(self, file: ExportedFile) -> bool:
        to = self._address.name(file.municipality)
        before = self._receipts.of(to, file.path.name)
        if before not in (None, file.sha256):
            raise DeliveryError(
                f"{file.path.name} was delivered to {to} with other content: a delivered file is"
                " not replaced; export the run again with the ledger that it was made from"
            )
        return before is not None

    def _unknown_host(self) -> str:
        if self._fingerprint:
            return (
                f"the host key of {self._address.host} has not the fingerprint"
                f" {self._fingerprint}; ask the municipality by another way whether it has a new"
                " key; nothing was sent"
            )
        return (
            f"the host key of {self._address.host} is not in {self._settings.sftp_known_hosts}"
            f" ({SFTP_KNOWN_HOSTS.name}); get it from the municipality by another way and add it;"
            " nothing was sent"
        )

    def _refused(self) -> str:
        return (
            f"{self._address.host} does not let us in; look at the user in the address and at the"
            f" key ({SFTP_KEY.name})"
        )

    def _gone(self, error: ServerLostError, left: int, total: int) -> str:
        return (
            f"{self._address.host}:{self._address.port} cannot be reached ({error}) after {TRIES}"
            f" tries, {left} of {total} files are left; deliver again: a file with a receipt is"
            " passed over"
        )
