"""State on a real disk that is damaged or full: an error is an error of the disk, never a value."""

import shutil
import subprocess
import sys
from hashlib import sha256

import pytest
from rocksdict import Cache, DBCompressionType, Options, Rdict

from streams.citizens import store as stores
from streams.citizens.store import RocksStore
from streams.citizens.store_port import CorruptDiskError, DiskError
from tests.support.places import ROOT
from tests.support.small_disk import on_a_small_disk, small_disk

KEYS = 3_000
POSITIONS = 25
FLIPPED_BYTES = 16
CHILD_S = 90.0


def entries():
    return {b"%07d/head" % number: b"%07d" % (number * 7919) * 20 for number in range(KEYS)}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A folder with state, closed."""
    folder = tmp_path_factory.mktemp("whole") / "state"
    store = RocksStore(folder)
    store.write(entries().items())
    store.close()
    return folder


@pytest.fixture(autouse=True)
def _uncached(monkeypatch):
    monkeypatch.setattr(stores, "_block_cache", lambda: Cache(1 << 20))


def damaged_copies(whole, folder):
    """The folder again and again, each time with other bytes of it flipped."""
    for file in sorted(path.name for path in whole.iterdir() if path.stat().st_size):
        size = (whole / file).stat().st_size
        positions = POSITIONS if file.endswith(".sst") else 4
        for number in range(positions):
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(whole, folder)
            content = bytearray((folder / file).read_bytes())
            start = size * number // positions
            for at in range(start, min(size, start + FLIPPED_BYTES)):
                content[at] ^= 0xFF
            (folder / file).write_bytes(content)
            yield file, start


class DamageNoted:
    """Lets a block fail by a CorruptDiskError, which must not have a key in its words."""

    def __init__(self, refused, what, key=b"0000001"):
        self.refused = refused
        self.what = what
        self.key = key.decode()

    def __enter__(self):
        return self

    def __exit__(self, _kind, error, _trace):
        if isinstance(error, CorruptDiskError):
            assert self.key not in str(error)
            self.refused.add(self.what)
            return True
        return False


def test_damaged_files_give_the_values_that_were_written_or_a_disk_error(whole, tmp_path):
    expected = entries()
    all_citizens = sorted(key.partition(b"/")[0].decode() for key in expected)
    refused = set()
    for file, start in damaged_copies(whole, tmp_path / "damaged"):
        try:
            store = RocksStore(tmp_path / "damaged")
        except CorruptDiskError:
            refused.add("opening")
            continue
        for key, value in expected.items():
            with DamageNoted(refused, "reading", key):
                assert store.get(key) == value, (file, start, key)
        with DamageNoted(refused, "keys"):
            assert [*store.keys(b"")] == sorted(expected), (file, start)
        with DamageNoted(refused, "citizens"):
            assert [*store.citizens("")] == all_citizens, (file, start)
        store.close()
    assert refused == {"opening", "reading", "keys", "citizens"}


@pytest.mark.parametrize(
    ("text", "kind", "told"),
    [
        ("Corruption: bad block: stored = 1 in 8.sst", CorruptDiskError, "bad block"),
        (
            "IO error: No such file or directory: 8.sst: No such file or directory",
            CorruptDiskError,
            "No such file or directory",
        ),
        ("IO error: 8.sst: Input/output error", CorruptDiskError, "Input/output error"),
        ("IO error: 8.sst: No space left on device", DiskError, "No space left on device"),
        ("IO error: 8.sst: Too many open files", DiskError, "Too many open files"),
        ("IO error: LOCK: Resource unavailable", DiskError, "Resource unavailable"),
    ],
)
def test_only_what_no_waiting_mends_is_damage(text, kind, told, tmp_path):
    error = stores._disk_error(tmp_path, "read", Exception(text))
    assert type(error) is kind
    assert str(error) == f"the state in {tmp_path} cannot be read: {told}"


def test_a_closed_store_is_an_error_of_the_disk(tmp_path):
    store = RocksStore(tmp_path / "state")
    store.close()
    with pytest.raises(DiskError):
        store.get(b"a/head")
    with pytest.raises(DiskError):
        store.write([(b"a/head", b"1")])


FILL = """
import sys, threading, time
from pathlib import Path
from streams.citizens import store as stores
from os import urandom
stores.MEMTABLE_BYTES = 256 << 10
longest = 0.0
def watch():
    global longest
    last = time.monotonic()
    while True:
        time.sleep(0.02)
        longest = max(longest, time.monotonic() - last)
        last = time.monotonic()
threading.Thread(target=watch, daemon=True).start()
refused, until = 0, time.monotonic() + 6
while time.monotonic() < until:
    for number in range(4):
        try:
            store = stores.RocksStore(Path(sys.argv[1]) / str(number))
            try:
                for at in range(100):
                    changes = [(b"%d/%d" % (at, part), urandom(300)) for part in range(400)]
                    if not store.offer(changes):
                        time.sleep(0.01)
            finally:
                store.close()
        except stores.DiskError:
            refused += 1
print(refused, longest)
"""


@on_a_small_disk
def test_a_full_disk_is_refused_and_holds_up_nothing_else_of_the_process(tmp_path):
    """Without its care a write waits inside RocksDB for room, and holds the interpreter."""
    with small_disk(tmp_path / "small", "3m") as disk:
        child = subprocess.run(
            [sys.executable, "-c", FILL, str(disk.folder)],
            cwd=ROOT, timeout=CHILD_S, check=True, capture_output=True, text=True,
        )  # fmt: skip
    refused, longest_s = child.stdout.split()
    assert int(refused) >= 2
    assert float(longest_s) < 5


def test_each_opening_leaves_no_further_log_behind(tmp_path):
    """On a full disk a partition begins again every few seconds, for as long as it is full."""
    for _ in range(6):
        RocksStore(tmp_path / "state").close()
    assert len([*(tmp_path / "state").glob("LOG*")]) <= stores.KEPT_LOGS


def a_record(number):
    """A record of few different signs, as numbers are."""
    own = sha256(b"%d" % number).digest()
    return own[:6], own.hex().encode()


def test_state_that_the_former_version_compressed_is_read_and_gets_smaller(tmp_path):
    folder, records = tmp_path / "state", dict(map(a_record, range(20_000)))
    former = Options(raw_mode=True)
    former.set_compression_type(DBCompressionType.lz4())
    write_and_compact(folder, former, records)
    before = bytes_of_tables(folder)
    assert read(folder, records) == records
    write_and_compact(folder, stores._options(), records)
    assert read(folder, records) == records
    assert bytes_of_tables(folder) < 0.7 * before


def test_a_folder_that_is_opened_again_reads_through_the_cache_of_all(tmp_path, monkeypatch):
    cache = Cache(1 << 20)
    monkeypatch.setattr(stores, "_block_cache", lambda: cache)
    folder, records = tmp_path / "state", dict(map(a_record, range(20_000)))
    former = Options(raw_mode=True)
    write_and_compact(folder, former, records)
    assert cache.get_usage() < 100_000
    assert read(folder, records) == records
    assert cache.get_usage() > 500_000


def write_and_compact(folder, options, records):
    database = Rdict(str(folder), options, column_families={stores.DEFAULT_FAMILY: options})
    for key, value in records.items():
        database[key] = value
    database.flush()
    database.compact_range(None, None)
    database.close()


def read(folder, keys):
    store = RocksStore(folder)
    found = {key: store.get(key) for key in keys}
    store.close()
    return found


def bytes_of_tables(folder):
    return sum(path.stat().st_size for path in folder.glob("*.sst"))
