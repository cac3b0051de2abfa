"""Programs of Maven Central that tests run on the Java of the local Kafka.

Each is fetched once into the user's cache, beside Kafka's jars, and run only with the SHA-256 that
the test names: it runs as the user.
"""

import fcntl
import tempfile
from hashlib import file_digest
from pathlib import Path

from jgo.config import GlobalSettings
from jgo.constants import MAVEN_CENTRAL_URL
from jgo.maven import MavenContext, PythonResolver

from streams.devtools.local_kafka.jars import cache_folder


def maven_file(coordinate, sha256, cache: Path | None = None, fetch=None) -> Path:
    """Return the file of a coordinate, `group:artifact:version` or with `:zip` behind it.

    AssertionError where it is not the one that we know.
    """
    cache, name = cache or cache_folder(), coordinate.replace(":", "+")
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        place = cache / name
        if not place.exists():
            with tempfile.TemporaryDirectory(dir=cache, prefix=f"{name}.") as folder:
                found = (fetch or _fetched)(coordinate, Path(folder))
                _check(found, sha256)
                found.rename(place)
        _check(place, sha256)
    return place


def _check(path, sha256):
    with path.open("rb") as file:
        found = file_digest(file, "sha256").hexdigest()
    assert found == sha256, f"{path} has another SHA-256, {found}, and is not run"


def _fetched(coordinate, folder):
    """Fetch one file alone, without what it says that it needs: each is a whole program."""
    repositories = {"central": MAVEN_CENTRAL_URL} | GlobalSettings.load().repositories
    context = MavenContext(PythonResolver(), folder, remote_repos=repositories)
    group, name, version, *packaging = coordinate.split(":")
    return context.project(group, name).at_version(version).artifact("", *packaging).resolve()
