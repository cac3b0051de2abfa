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

The server's host key must be in the known hosts; no unknown key is accepted. A lost connection is
made again.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import unquote, urlsplit

import asyncssh

from streams.engine.fault_points import reached
from streams.ledger.receipts import DeliveryError, ExportedFile, Receipts
from streams.settings import SFTP_KEY, SFTP_KNOWN_HOSTS, Settings

PART: Final = ".part"
"""The suffix of a file while it is uploaded."""
BLOCK: Final = 256 * 1024
"""Bytes in one read or write."""
TRIES: Final = 5
"""Tries in a row without a delivered file before giving up."""
WAIT_S: Final = 2.0
"""Seconds before the second try; twice as long before each one after that, 30 s in all."""
ANSWER_S: Final = 30.0
"""Seconds without an answer after which a server counts as gone."""
PLACEHOLDER: Final = "{municipality}"
"""Part of an address that is replaced by the code of each municipality."""
PORT: Final = 22
LOST: Final = (
    OSError,
    asyncssh.ConnectionLost,
    asyncssh.SFTPConnectionLost,
    asyncssh.SFTPNoConnection,
    TimeoutError,
)
"""Errors that another try may mend: the delivery goes on at the same file."""

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

    def sentence(self) -> str:
        """The summary as a sentence."""
        text = f"delivered {self.files:,} files, {self.bytes / 1e6:,.1f} MB"
        text += f"; {self.passed_over:,} were delivered before" if self.passed_over else ""
        text += f"; {self.found:,} were there already and now have a receipt" if self.found else ""
        return text


class FileDelivery:
    """Delivers files to an SFTP server."""

    def __init__(self, settings: Settings, address: ServerAddress, receipts: Receipts) -> None:
        self._settings = settings
        self._address = address
        self._receipts = receipts
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
            except asyncssh.HostKeyNotVerifiable as error:
                raise DeliveryError(self._unknown_host()) from error
            except (
                asyncssh.PermissionDenied,
                asyncssh.KeyImportError,
                asyncssh.KeyEncryptionError,
            ) as error:
                raise DeliveryError(self._refused()) from error
            except LOST as error:
                tries = 1 if len(left) < before else tries + 1
                if tries >= TRIES:
                    raise DeliveryError(self._gone(error, len(left), total)) from error
                await asyncio.sleep(WAIT_S * 2 ** (tries - 1))
            except (asyncssh.Error, asyncssh.SFTPError) as error:
                reason = f"{type(error).__name__}: {error.reason}"
                raise DeliveryError(
                    f"{self._address.host} refused {left[0].path.name}: {reason}"
                ) from error
        return self.done

    async def _deliver_over_one_connection(
        self, left: list[ExportedFile], total: int, progress: Progress
    ) -> None:
        """Deliver files and take them off the list, until it is empty or the connection is lost."""
        async with self._connected() as sftp:
            while left:
                await asyncio.wait_for(
                    self._deliver(sftp, left[0]), ANSWER_S + left[0].size / BLOCK
                )
                del left[0]
                progress(total - len(left), total)

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

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[asyncssh.SFTPClient]:
        key = self._settings.sftp_key
        options: dict[str, Any] = {"client_keys": [str(key)]} if key else {}
        if self._address.user:
            options["username"] = self._address.user
        async with (
            asyncssh.connect(
                self._address.host,
                self._address.port,
                known_hosts=str(self._settings.sftp_known_hosts),
                config=None,
                connect_timeout=ANSWER_S,
                login_timeout=ANSWER_S,
                keepalive_interval=ANSWER_S / 3,
                **options,
            ) as connection,
            connection.start_sftp_client() as sftp,
        ):
            yield sftp

    async def _deliver(self, sftp: asyncssh.SFTPClient, file: ExportedFile) -> None:
        """Steps 2 to 4."""
        folder = self._address.folder_of(file.municipality)
        there = f"{folder}/{file.path.name}"
        if await sftp.exists(there):
            if await _digest(sftp, there) != file.sha256:
                raise DeliveryError(
                    f"{there} is on {self._address.host} with other content; find out who put it"
                    " there"
                )
            self.done.found += 1
        else:
            await _upload(sftp, file, there + PART)
            await sftp.rename(there + PART, there)
            self.done.files += 1
            self.done.bytes += file.size
        reached("deliver", "after_commit")
        self._receipts.add(self._address.name(file.municipality), file)

    def _unknown_host(self) -> str:
        return (
            f"the host key of {self._address.host} is not in {self._settings.sftp_known_hosts}"
            f" ({SFTP_KNOWN_HOSTS.name}); get it from the municipality by another way and add it;"
            " nothing was sent"
        )

    def _refused(self) -> str:
        return (
            f"{self._address.host} does not let us in; look at the user in --to and at the key"
            f" ({SFTP_KEY.name})"
        )

    def _gone(self, error: Exception, left: int, total: int) -> str:
        why = (
            error.strerror
            if isinstance(error, OSError) and error.strerror
            else type(error).__name__
        )
        return (
            f"{self._address.host}:{self._address.port} cannot be reached ({why}) after {TRIES}"
            f" tries, {left} of {total} files are left; deliver again: a file with a receipt is"
            " passed over"
        )


async def _upload(sftp: asyncssh.SFTPClient, file: ExportedFile, there: str) -> None:
    """Step 2: upload a file, on from the part of it that is there."""
    start = await _good_until(sftp, file.path, there)
    async with sftp.open(there, "r+b" if start else "wb") as remote:
        await remote.seek(start)
        with file.path.open("rb") as local:
            local.seek(start)
            while block := local.read(BLOCK):
                await remote.write(block)
                reached("deliver", "before_commit")
        with suppress(asyncssh.SFTPOpUnsupported):
            await remote.fsync()
    size = (await sftp.stat(there)).size
    if size != file.size:
        await sftp.remove(there)
        raise DeliveryError(
            f"{there} has {size} bytes after the upload, {file.size} were sent; deliver again"
        )


async def _good_until(sftp: asyncssh.SFTPClient, path: Path, there: str) -> int:
    """Count the bytes of an interrupted upload; 0 if they are not the beginning of this file."""
    if not await sftp.exists(there):
        return 0
    at = 0
    with path.open("rb") as file:
        async for block in _blocks(sftp, there):
            if file.read(len(block)) != block:
                return 0
            at += len(block)
    return at


async def _digest(sftp: asyncssh.SFTPClient, there: str) -> str:
    digest = hashlib.sha256()
    async for block in _blocks(sftp, there):
        digest.update(block)
    return digest.hexdigest()


async def _blocks(sftp: asyncssh.SFTPClient, there: str) -> AsyncIterator[bytes]:
    async with sftp.open(there, "rb") as remote:
        while block := await remote.read(BLOCK):
            assert isinstance(block, bytes)
            yield block
