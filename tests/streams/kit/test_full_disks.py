"""A disk that is full or has no room for a further file: the error names what could not be written.

The file systems are real ones.
"""

import errno
from contextlib import ExitStack

import pytest

from streams.citizens.store import RocksStore
from streams.citizens.store_port import DiskError
from streams.kit.spool import Scattered
from streams.ledger.draft import draft_in, whole_file
from tests.support.small_disk import on_a_small_disk, small_disk


def _fill_spool(folder):
    with ExitStack() as stack:
        spool = Scattered(stack, folder, "reports", 1)
        for number in range(100_000):
            spool.put(0, (number * 7919, str(number)), 1_000)


@on_a_small_disk
def test_files_of_a_spool_and_of_an_export_are_named(tmp_path):
    with small_disk(tmp_path / "small", "8k") as disk:
        with pytest.raises(OSError, match="No space left") as spooled:
            _fill_spool(disk.folder)
        with (
            pytest.raises(OSError, match="No space left") as exported,
            draft_in(disk.folder, "run-0050") as draft,
            whole_file(draft / "file.csv") as file,
        ):
            file.write("x" * 100_000)
    assert spooled.value.filename == str(disk.folder / "reports-0")
    assert exported.value.filename == str(disk.folder / ".run-0050.draft" / "file.csv")
    assert exported.value.errno == errno.ENOSPC


@on_a_small_disk
@pytest.mark.parametrize("inodes", [2, 5])
def test_state_on_a_disk_without_room_for_a_further_file_is_named(tmp_path, inodes):
    """Two leave no room for its folder, five for a file in it."""
    with small_disk(tmp_path / "tiny", f"4m,nr_inodes={inodes}") as disk:
        (disk.folder / "one").touch()
        with pytest.raises(DiskError) as caught:
            RocksStore(disk.folder / "state")
    assert f"the state in {disk.folder}/state cannot be written: No space left" in str(caught.value)
