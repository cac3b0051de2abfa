"""The SFTP client of deliveries: a connection on which every wait has an end.

A server may stay connected, answer the keepalives and yet never answer a request. Whoever waits for
it then is freed by cutting the connection first: a wait that is only cancelled would let its own
clean-up wait for the same server. So a request that has no answer in `ANSWER_S`, or whose waiter is
cancelled, aborts the connection.

An error names the side, the path and what the server must allow. Before a folder's first file is
uploaded, it is tried whether the server lets us look, write and rename there.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final, TypeVar

import asyncssh

from streams.engine.fault_points import reached
from streams.ledger.receipts import DeliveryError, ExportedFile

PART: Final = ".part"
"""The suffix of a file while it is uploaded."""
TRIAL: Final = ".try"
"""The suffix that the empty beginning of an upload has while renaming is tried."""
BLOCK: Final = 256 * 1024
"""Bytes in one read or write."""
ANSWER_S: Final = 30.0
"""Seconds without an answer after which a server counts as gone."""
SLOWEST: Final = 16 * 1024
"""Bytes a second below which a server counts as gone, whatever it answers."""
CREATED: Final = asyncssh.FXF_WRITE | asyncssh.FXF_CREAT
"""Opens a file to write, makes it where it is not there, and leaves its content."""
CLOSE_S: Final = 5.0
"""Seconds that the end of a connection may take."""
LOST: Final = (
    OSError,
    asyncssh.ConnectionLost,
    asyncssh.SFTPConnectionLost,
    asyncssh.SFTPNoConnection,
    TimeoutError,
)
"""Errors that another try may mend: the delivery goes on at the same file."""
MUST_ALLOW: Final = (
    "our user must be allowed to list, read, write and rename in the folder, since a file is"
    " checked after its upload and gets its name last"
)

Result = TypeVar("Result")


class UnknownHostError(DeliveryError):
    """The server's host key is not the one that is expected; nothing was sent."""


class RefusedLoginError(DeliveryError):
    """The server does not let us in."""


class ServerLostError(Exception):
    """The server went away or does not answer; another try may mend it. The text says how."""


class _PinnedHost(asyncssh.SSHClient):
    """Accepts the host key that has an expected fingerprint, and no other."""

    def __init__(self, fingerprint: str) -> None:
        self._fingerprint = fingerprint

    def validate_host_public_key(
        self, _host: str, _addr: str, _port: int, key: asyncssh.SSHKey
    ) -> bool:
        """Compare fingerprints; that the server has the private key is proved afterwards."""
        return key.get_fingerprint() == self._fingerprint


def known_keys(known_hosts: Path | None, fingerprint: str) -> dict[str, Any]:
    """Options with which host keys of a file, or the key with a fingerprint, are accepted."""
    if not fingerprint:
        return {"known_hosts": str(known_hosts)}
    return {
        "known_hosts": asyncssh.import_known_hosts(""),
        "client_factory": lambda: _PinnedHost(fingerprint),
    }


class SftpServer:
    """A connected server. Raises DeliveryError, and ServerLostError where it goes away."""

    def __init__(self, host: str, connection: asyncssh.SSHClientConnection) -> None:
        self._host = host
        self._connection = connection
        self._sftp: asyncssh.SFTPClient | None = None
        self._tried: set[str] = set()
        self._deadline = 0.0
        key = connection.get_server_host_key()
        self.fingerprint = key.get_fingerprint() if key else ""

    async def start(self) -> None:
        """Open the SFTP session."""
        self._until(0)
        try:
            self._sftp = await self._ask("open a session", "", self._connection.start_sftp_client())
        except asyncssh.ChannelOpenError as error:
            raise DeliveryError(f"{self._host} offers no SFTP ({error.reason})") from error

    async def put(self, file: ExportedFile, folder: str) -> bool:
        """Upload a file unless it is there already, and return whether it was uploaded."""
        self._until(file.size)
        there = f"{folder}/{file.path.name}"
        await self._look_at(folder)
        if await self._size(there) is not None:
            if await self._digest(there) != file.sha256:
                raise DeliveryError(
                    f"{there} is on {self._host} with other content; find out who put it there"
                )
            return False
        if folder not in self._tried:
            await self._try_out(there + PART)
            self._tried.add(folder)
        await self._upload(file, there + PART)
        await self._ask("rename", there + PART, self._client.rename(there + PART, there))
        return True

    async def _look_at(self, folder: str) -> None:
        if folder not in self._tried and await self._size(folder or "/") is None:
            raise DeliveryError(
                f"{self._host} has no folder {folder or '/'}; look at the path of the address, or"
                " ask the receiver to make the folder"
            )

    async def _try_out(self, there: str) -> None:
        """Try to write, look at and rename the beginning of an upload."""
        with suppress(DeliveryError):  # what a try that was interrupted has left
            await self._ask("remove", there + TRIAL, self._client.remove(there + TRIAL))
        remote = await self._ask("write", there, self._client.open(there, CREATED))
        await self._ask("close", there, remote.close())
        if await self._size(there) is None:
            raise DeliveryError(f"{self._host} does not show us {there}; {MUST_ALLOW}")
        await self._ask("rename", there, self._client.rename(there, there + TRIAL))
        await self._ask("rename", there + TRIAL, self._client.rename(there + TRIAL, there))

    async def _upload(self, file: ExportedFile, there: str) -> None:
        """Upload a file, on from the part of it that is there."""
        start = await self._good_until(file.path, there)
        mode = "r+b" if start else "wb"
        remote = await self._ask("write", there, self._client.open(there, mode))
        digest = hashlib.sha256()
        for at, block in _blocks_of(file.path):
            digest.update(block)
            if at + len(block) > start:
                new = block[max(0, start - at) :]
                await self._ask("write", there, remote.write(new, max(at, start)))
                reached("deliver", "before_commit")
        with suppress(asyncssh.SFTPOpUnsupported):
            await self._ask("write", there, remote.fsync())
        await self._ask("close", there, remote.close())
        if digest.hexdigest() != file.sha256:
            await self._ask("remove", there, self._client.remove(there))
            raise DeliveryError(
                f"{file.path} on this machine was changed while it was uploaded; nothing of it is"
                " delivered: wait until its export is finished, and deliver again"
            )
        size = await self._size(there)
        if size != file.size:
            await self._ask("remove", there, self._client.remove(there))
            raise DeliveryError(
                f"{there} has {size} bytes on {self._host} after the upload, {file.size} were"
                " sent; deliver again"
            )

    async def _good_until(self, path: Path, there: str) -> int:
        """Count the bytes of an interrupted upload; 0 if they are not the beginning of the file."""
        if not await self._size(there):
            return 0
        at = 0
        with _opened(path) as file:
            async for block in self._blocks(there):
                if file.read(len(block)) != block:
                    return 0
                at += len(block)
        return at

    async def _digest(self, there: str) -> str:
        digest = hashlib.sha256()
        async for block in self._blocks(there):
            digest.update(block)
        return digest.hexdigest()

    async def _blocks(self, there: str) -> AsyncIterator[bytes]:
        remote = await self._ask("read", there, self._client.open(there, "rb"))
        while block := await self._ask("read", there, remote.read(BLOCK)):
            assert isinstance(block, bytes)
            yield block
        await self._ask("close", there, remote.close())

    async def _size(self, there: str) -> int | None:
        """The size of a file or folder, None where there is none."""
        try:
            return (await self._ask("look at", there, self._client.stat(there))).size or 0
        except asyncssh.SFTPNoSuchFile:
            return None

    # --- waiting --------------------------------------------------------------------------------

    @property
    def _client(self) -> asyncssh.SFTPClient:
        assert self._sftp is not None, "the session is open"
        return self._sftp

    def _until(self, size: int) -> None:
        """Set the end of all waits for a file."""
        self._deadline = asyncio.get_running_loop().time() + ANSWER_S + size / SLOWEST

    async def _ask(self, what: str, there: str, request: Awaitable[Result]) -> Result:
        """Wait for an answer. Raises SFTPNoSuchFile and SFTPOpUnsupported as they are."""
        left = self._deadline - asyncio.get_running_loop().time()
        asked = asyncio.ensure_future(request)
        try:
            await asyncio.wait({asked}, timeout=max(0.0, min(ANSWER_S, left)))
            if not asked.done():
                raise ServerLostError(f"it does not answer: {what} {there}".rstrip())
            return asked.result()
        except LOST as error:
            raise ServerLostError(reason_of(error)) from error
        except asyncssh.SFTPNoSuchFile as error:
            if what == "look at":
                raise
            raise self._refused(what, there, error) from error
        except asyncssh.SFTPOpUnsupported:
            raise
        except (asyncssh.SFTPError, asyncssh.DisconnectError) as error:
            raise self._refused(what, there, error) from error
        finally:
            if not asked.done():
                self._connection.abort()
                asked.cancel()
                asked.add_done_callback(_heard)

    def _refused(self, what: str, there: str, error: asyncssh.Error) -> DeliveryError:
        return DeliveryError(
            f"{self._host} does not let us {what} {there}"
            f" ({type(error).__name__}: {error.reason}); {MUST_ALLOW}"
        )


@asynccontextmanager
async def connected(host: str, port: int, options: dict[str, Any]) -> AsyncIterator[SftpServer]:
    """Connect to a server for the length of a block; the end of the connection has a limit too."""
    asyncio.get_running_loop().set_exception_handler(_pass_over_lost)
    try:
        connection = await asyncssh.connect(
            host,
            port,
            config=None,
            connect_timeout=ANSWER_S,
            login_timeout=ANSWER_S,
            keepalive_interval=ANSWER_S / 3,
            **options,
        )
    except asyncssh.HostKeyNotVerifiable as error:
        raise UnknownHostError(host) from error
    except (
        asyncssh.PermissionDenied,
        asyncssh.KeyImportError,
        asyncssh.KeyEncryptionError,
    ) as error:
        raise RefusedLoginError(host) from error
    except LOST as error:
        raise ServerLostError(reason_of(error)) from error
    except (asyncssh.Error, ValueError) as error:
        raise DeliveryError(
            f"{host} and this program do not agree on SSH ({type(error).__name__})"
        ) from error
    try:
        server = SftpServer(host, connection)
        await server.start()
        yield server
        connection.close()
    except BaseException:
        connection.abort()
        raise
    finally:
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                await connection.wait_closed()
        connection.abort()


def reason_of(error: BaseException) -> str:
    """Say why a server is lost."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, TimeoutError):
        return "it does not answer"
    return type(error).__name__


def _pass_over_lost(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Say nothing of tasks inside asyncssh that a cut connection ended: nobody waits for them."""
    if not isinstance(context.get("exception"), asyncssh.Error):
        loop.default_exception_handler(context)


def _heard(asked: "asyncio.Future[Any]") -> None:
    """Mark the error of a request that nobody waits for any more as heard."""
    if not asked.cancelled():
        asked.exception()


def _opened(path: Path) -> Any:
    """Open a file of this machine. Raises DeliveryError."""
    try:
        return path.open("rb")
    except OSError as error:
        raise DeliveryError(f"{path} on this machine cannot be read: {error.strerror}") from error


def _blocks_of(path: Path) -> Any:
    """Yield the blocks of a file with their places. Raises DeliveryError."""
    start = 0
    with _opened(path) as local:
        while True:
            try:
                block = local.read(BLOCK)
            except OSError as error:
                raise DeliveryError(
                    f"{path} on this machine cannot be read: {error.strerror}"
                ) from error
            if not block:
                return
            yield start, block
            start += len(block)
