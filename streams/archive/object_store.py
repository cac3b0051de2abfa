"""Opens the place of a backup: a folder (`file://`), or an object store (`s3://` and others).

A file is written whole or not at all; `create` writes it only where none of that name is, so that
two backups at a time do not both go on from the same place.
"""

import os
import re
from collections.abc import Iterator
from configparser import ConfigParser
from configparser import Error as ConfigParserError
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import LocalStore, from_url

from streams.kit.errors import UserError
from streams.kit.secrets import secret_in

if TYPE_CHECKING:
    from obstore.store import RetryConfig, S3Config

CREDENTIALS_FILE: Final = "AWS_SHARED_CREDENTIALS_FILE"
TRIES: Final = 4
"""Attempts of one request after the first, with pauses that grow."""
_SCHEME: Final = re.compile(r"[a-z0-9]+:")
"""The beginning of an address such as `s3:BUCKET`, of which the slashes were forgotten."""


class ArchiveError(UserError):
    """A backup cannot be written, read or used; the message says why and what to do."""


class TakenError(ArchiveError):
    """A file of this name is there already."""


class ArchiveStore:
    """The files of a place, by their names within it."""

    def __init__(self, uri: str, store: "obstore.store.ObjectStore") -> None:
        self.uri = uri
        self._store = store

    def write(self, name: str, content: bytes) -> None:
        """Write a file, in the place of one that is there. Raises ArchiveError."""
        with self._explained("written", name):
            obstore.put(self._store, name, content, use_multipart=False)

    def create(self, name: str, content: bytes) -> None:
        """Write a file that is not there yet. Raises TakenError and ArchiveError."""
        with self._explained("written", name):
            obstore.put(self._store, name, content, mode="create", use_multipart=False)

    def read(self, name: str) -> bytes:
        """Read a file. Raises ArchiveError."""
        with self._explained("read", name):
            return bytes(obstore.get(self._store, name).bytes())

    def sizes(self, folder: str) -> dict[str, int]:
        """Return the names of the files in a folder and their sizes in bytes."""
        with self._explained("listed", folder):
            return dict(sorted(self._listed(folder)))

    def _listed(self, folder: str) -> Iterator[tuple[str, int]]:
        for metas in obstore.list(self._store, prefix=folder):
            for meta in metas:
                yield meta["path"], meta["size"]

    @contextmanager
    def _explained(self, what: str, name: str) -> Iterator[None]:
        try:
            yield
        except AlreadyExistsError:
            raise TakenError(f"{self.uri} has a file {name} already") from None
        except FileNotFoundError:
            raise ArchiveError(f"{self.uri} has no file {name}") from None
        except (BaseError, OSError) as error:
            reason = _first_sentence(error)
            raise ArchiveError(f"{name} in {self.uri} cannot be {what}: {reason}") from None


def open_store(uri: str, *, must_exist: bool = False) -> ArchiveStore:
    """Open a place; a folder is made unless it `must_exist`. Raises ArchiveError."""
    if not uri or ("://" not in uri and _SCHEME.match(uri)):
        raise ArchiveError(
            f"“{uri}” is no place for a backup: give a folder, file://FOLDER or s3://BUCKET/FOLDER"
        )
    try:
        if "://" not in uri or uri.startswith("file://"):
            folder = Path(uri.removeprefix("file://")).absolute()
            if must_exist and not folder.is_dir():
                raise ArchiveError(f"{uri} is no folder")
            return ArchiveStore(uri, LocalStore(folder, mkdir=True))
        retries: RetryConfig = {"max_retries": TRIES}
        return ArchiveStore(uri, from_url(uri, config=_in_file(uri), retry_config=retries))
    except (BaseError, OSError, ValueError) as error:
        reason = _first_sentence(error)
        raise ArchiveError(
            f"{uri} cannot be opened: {reason}; give a folder, file://FOLDER or s3://BUCKET/FOLDER,"
            " for which AWS_… in the environment have region and credentials, or the file of these"
        ) from None


def _in_file(uri: str) -> "S3Config | None":
    """Return the credentials in the file that AWS_SHARED_CREDENTIALS_FILE names, if it does.

    The library knows those in the environment alone, which whoever looks at a container sees.
    Raises ArchiveError and SettingsError.
    """
    path = os.environ.get(CREDENTIALS_FILE)
    if not path or not uri.startswith("s3"):
        return None
    profile = os.environ.get("AWS_PROFILE", "default")
    file = ConfigParser(interpolation=None)
    try:
        file.read_string(secret_in(Path(path), CREDENTIALS_FILE))
        found = file[profile]
        config: S3Config = {
            "access_key_id": found["aws_access_key_id"],
            "secret_access_key": found["aws_secret_access_key"],
        }
        if token := found.get("aws_session_token"):
            config["session_token"] = token
    except (ConfigParserError, KeyError):  # whose words repeat lines of the file
        raise ArchiveError(
            f"{CREDENTIALS_FILE} is {path}, which has no aws_access_key_id and"
            f" aws_secret_access_key in a part [{profile}]"
        ) from None
    return config


def _first_sentence(error: Exception) -> str:
    """Return what an error of the library says first; behind that come its own data structures."""
    return str(error).partition("\n")[0][:300].strip()
