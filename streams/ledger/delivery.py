"""`refusion deliver`: the exported files of a run to a municipality's SFTP server, each once.

For each file, in the order of their names:

1. A receipt for it (place, name, SHA-256) says that it was delivered: it is passed over. A receipt for other content
   is an error: what a municipality has read is not replaced.
2. It is uploaded as `<name>.part`, on from what an interrupted upload has left there, if that is its beginning.
3. Its size is compared and it is renamed, which on SFTP replaces nothing: so nobody sees half a file, and nobody's file
   is overwritten. A file that stands there already, from a delivery that died before its receipt,
   is read back: the same content counts as delivered, any other is an error.
4. The receipt is appended and on disk before the next file.

The server's host key must be in the known hosts; nothing is ever accepted unseen. A lost connection
is made again. Receipts stand in the state folder, whose lock only one delivery has at a time.
"""

import asyncio
import fcntl
import hashlib
import os
import re
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import unquote, urlsplit

import asyncssh
import orjson

from streams.engine.fault_points import reached
from streams.kit.errors import UserError
from streams.settings import SFTP_KEY, SFTP_KNOWN_HOSTS, Settings

RECEIPTS: Final = "receipts.jsonl"
PART: Final = ".part"
BLOCK: Final = 256 * 1024
TRIES: Final = 5
"""In a row without a file coming through."""
WAIT_S: Final = 2.0
"""Before the second try, and twice as long before each that follows: half a minute in all."""
ANSWER_S: Final = 30.0
"""A server that is silent for so long is gone."""
PORT: Final = 22
LOST: Final = (
    OSError,
    asyncssh.ConnectionLost,
    asyncssh.SFTPConnectionLost,
    asyncssh.SFTPNoConnection,
    TimeoutError,
)
"""What another try may mend. A delivery goes on where it was."""

Progress = Callable[[int, int], None]
"""Told how many files are done, of how many."""


class DeliveryError(UserError):
    """Files cannot be delivered; the message says which and what to do."""


class Place(NamedTuple):
    """Where files are delivered to; `folder` may have `{municipality}` in it."""

    host: str
    port: int
    user: str | None
    folder: str

    @classmethod
    def of(cls, url: str) -> "Place":
        """The place of an address. Raises DeliveryError."""
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

    def folder_of(self, municipality: str) -> str:
        """The folder of a municipality."""
        return self.folder.replace("{municipality}", municipality).rstrip("/")

    def name(self, municipality: str) -> str:
        """How receipts name it: without the user, who may change."""
        return f"sftp://{self.host}:{self.port}{self.folder_of(municipality)}"


class Piece(NamedTuple):
    """A file to deliver."""

    path: Path
    municipality: str
    size: int
    sha256: str


@dataclass
class Delivered:
    """What was done; `passed_over` had a receipt, `found` stood there without one."""

    files: int = 0
    bytes: int = 0
    passed_over: int = 0
    found: int = 0

    def sentence(self) -> str:
        """For a person."""
        text = f"delivered {self.files:,} files, {self.bytes / 1e6:,.1f} MB"
        text += f"; {self.passed_over:,} were delivered before" if self.passed_over else ""
        return text + (
            f"; {self.found:,} stood there already and have their receipt now" if self.found else ""
        )


# --- what is there
# ----------------------------------------------------------------------------------


def pieces_of(folder: Path, run: int, municipality: str | None) -> list[Piece]:
    """The exported files of a run, in their order. Raises DeliveryError where there are none."""
    form = re.compile(
        rf"yr-ydelsesrefusion-[a-z]+-(\d{{3}})-{run:04d}-\d{{4}}-\d\d-\d\d\.(?:csv|parquet)"
    )
    found = [
        (path, match[1])
        for path in sorted(folder.glob("*"))
        if (match := form.fullmatch(path.name))
    ]
    pieces = [_piece(path, code) for path, code in found if municipality in (None, code)]
    if not pieces:
        raise DeliveryError(
            f"{folder} has no files of run {run}; make them with `refusion export --run {run}`"
        )
    return pieces


def _piece(path: Path, municipality: str) -> Piece:
    with path.open("rb") as file:
        return Piece(
            path, municipality, path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest()
        )


class Receipts:
    """What was delivered, by place and name: a line each, only ever appended to."""

    def __init__(self, path: Path) -> None:
        self._path = path
        lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
        whole = [
            line for line in lines if line.endswith(b"\n")
        ]  # one that was cut off says nothing
        receipts = [orjson.loads(line) for line in whole]
        self._known = {(receipt["to"], receipt["file"]): receipt["sha256"] for receipt in receipts}
        if len(whole) < len(lines):
            with path.open("r+b") as file:
                file.truncate(sum(map(len, whole)))

    def of(self, to: str, name: str) -> str | None:
        """The SHA-256 of what was delivered under a name."""
        return self._known.get((to, name))

    def add(self, to: str, piece: Piece) -> None:
        """Add a line; it is on disk when this returns."""
        at = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        receipt = {
            "at": at,
            "to": to,
            "file": piece.path.name,
            "bytes": piece.size,
            "sha256": piece.sha256,
        }
        with self._path.open("ab") as file:
            file.write(orjson.dumps(receipt) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        self._known[to, piece.path.name] = piece.sha256


@contextmanager
def receipts_in(state_dir: Path) -> Iterator[Receipts]:
    """The receipts, for one delivery at a time. Raises DeliveryError while there is another."""
    state_dir.mkdir(parents=True, exist_ok=True)
    with (state_dir / f"{RECEIPTS}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DeliveryError(
                f"another delivery is at work with the receipts in {state_dir}; wait for it"
            ) from None
        yield Receipts(state_dir / RECEIPTS)


# --- delivering
# -------------------------------------------------------------------------------------


class Delivery:
    """The delivery of some files to a place."""

    def __init__(self, settings: Settings, place: Place, receipts: Receipts) -> None:
        self._settings = settings
        self._place = place
        self._receipts = receipts
        self.done = Delivered()

    async def deliver(self, pieces: Sequence[Piece], progress: Progress) -> Delivered:
        """Deliver all that has no receipt. Raises DeliveryError."""
        left = self.without_receipt(pieces)
        self.done.passed_over = len(pieces) - len(left)
        total, tries = len(left), 0
        while left:
            before = len(left)
            try:
                async with self._connected() as sftp:
                    while left:
                        await asyncio.wait_for(
                            self._deliver(sftp, left[0]), ANSWER_S + left[0].size / BLOCK
                        )
                        del left[0]
                        progress(total - len(left), total)
            except asyncssh.HostKeyNotVerifiable as error:
                raise DeliveryError(self._stranger()) from error
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
                what = f"{type(error).__name__}: {error.reason}"
                raise DeliveryError(
                    f"{self._place.host} refused {left[0].path.name}: {what}"
                ) from error
        return self.done

    def without_receipt(self, pieces: Sequence[Piece]) -> list[Piece]:
        """What is to be delivered. Raises DeliveryError where other content was delivered under a name."""
        return [piece for piece in pieces if not self._is_delivered(piece)]

    def _is_delivered(self, piece: Piece) -> bool:
        to = self._place.name(piece.municipality)
        before = self._receipts.of(to, piece.path.name)
        if before not in (None, piece.sha256):
            raise DeliveryError(
                f"{piece.path.name} was delivered to {to} with other content: a delivered file is not replaced; export"
                " the run again with the ledger that it was made from"
            )
        return before is not None

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[asyncssh.SFTPClient]:
        key = self._settings.sftp_key
        options: dict[str, Any] = {"client_keys": [str(key)]} if key else {}
        if self._place.user:
            options["username"] = self._place.user
        async with (
            asyncssh.connect(
                self._place.host,
                self._place.port,
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

    async def _deliver(self, sftp: asyncssh.SFTPClient, piece: Piece) -> None:
        """Steps 2 to 4."""
        folder = self._place.folder_of(piece.municipality)
        there = f"{folder}/{piece.path.name}"
        if await sftp.exists(there):
            if await _digest(sftp, there) != piece.sha256:
                raise DeliveryError(
                    f"{there} stands on {self._place.host} with other content; look who put it there"
                )
            self.done.found += 1
        else:
            await _upload(sftp, piece, there + PART)
            await sftp.rename(there + PART, there)
            self.done.files += 1
            self.done.bytes += piece.size
        reached("deliver", "after_commit")
        self._receipts.add(self._place.name(piece.municipality), piece)

    def _stranger(self) -> str:
        return (
            f"the host key of {self._place.host} is not in {self._settings.sftp_known_hosts} ({SFTP_KNOWN_HOSTS.name});"
            " get it from the municipality by another way and add it; nothing was sent"
        )

    def _refused(self) -> str:
        return f"{self._place.host} does not let us in; look at the user in --to and at the key ({SFTP_KEY.name})"

    def _gone(self, error: Exception, left: int, total: int) -> str:
        why = (
            error.strerror
            if isinstance(error, OSError) and error.strerror
            else type(error).__name__
        )
        return (
            f"{self._place.host}:{self._place.port} cannot be reached ({why}) after {TRIES} tries, {left} of {total}"
            " files are left; deliver again: what has a receipt is passed over"
        )


async def _upload(sftp: asyncssh.SFTPClient, piece: Piece, there: str) -> None:
    """Step 2, on from what is there."""
    start = await _good_until(sftp, piece.path, there)
    async with sftp.open(there, "r+b" if start else "wb") as remote:
        await remote.seek(start)
        with piece.path.open("rb") as file:
            file.seek(start)
            while block := file.read(BLOCK):
                await remote.write(block)
                reached("deliver", "before_commit")
        with suppress(asyncssh.SFTPOpUnsupported):
            await remote.fsync()
    size = (await sftp.stat(there)).size
    if size != piece.size:
        await sftp.remove(there)
        raise DeliveryError(
            f"{there} has {size} bytes after the upload, {piece.size} were sent; deliver again"
        )


async def _good_until(sftp: asyncssh.SFTPClient, path: Path, there: str) -> int:
    """How many bytes are there of an interrupted upload; 0 where they are not this file's beginning."""
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
