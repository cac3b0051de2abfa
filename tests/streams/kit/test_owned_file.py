"""A file that somebody else could change or put another one in place of is not read."""

import os

import pytest

from streams.kit.owned_file import NotSafeError, read_owned

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to others")
STRANGER = 4711


@pytest.fixture
def place(tmp_path):
    """A file in a folder, both safe."""
    folder = tmp_path / "set"
    folder.mkdir(mode=0o755)
    file = folder / "file"
    file.write_bytes(b"content")
    file.chmod(0o644)
    return file


def refused(path, said):
    with pytest.raises(NotSafeError, match=said):
        read_owned(path, 100)


def test_a_safe_file_is_read_up_to_a_bound(place):
    assert read_owned(place, 100) == (b"content", os.geteuid())
    assert read_owned(place, 3).content == b"cont", "one byte more tells that it is too large"


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_that_others_can_write_is_not_read(place, mode):
    place.chmod(mode)
    refused(place, "file can be written by others than its owner; take that right")


@pytest.mark.parametrize("mode", [0o775, 0o757, 0o777])
def test_a_file_in_a_folder_that_others_can_write_is_not_read(place, mode):
    place.parent.chmod(mode)
    refused(place, "set can be written by others than its owner, who could put another file there")


def test_of_a_folder_like_tmp_each_takes_away_his_own_alone(place):
    place.parent.chmod(0o1777)
    assert read_owned(place, 100).content == b"content"


def test_a_link_is_as_safe_as_where_it_stands_and_where_it_leads(place, tmp_path):
    folder = tmp_path / "links"
    folder.mkdir(mode=0o755)
    (folder / "link").symlink_to("../set")
    (folder / "file").symlink_to("link/../set/file")
    assert read_owned(folder / "file", 100).content == b"content"
    folder.chmod(0o777)
    refused(folder / "file", "links can be written by others")
    folder.chmod(0o755)
    place.parent.chmod(0o777)
    refused(folder / "file", "set can be written by others")


def test_a_link_on_the_way_to_a_link_is_looked_at_too(place, tmp_path):
    """A folder in the middle of a chain of links decides where it ends."""
    middle = tmp_path / "middle"
    middle.mkdir()
    (middle / "next").symlink_to(place)
    (tmp_path / "first").symlink_to(middle / "next")
    middle.chmod(0o777)
    refused(tmp_path / "first", "middle can be written by others")


@AS_ROOT
def test_a_folder_or_a_link_of_somebody_else_is_not_safe(place, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(place)
    os.chown(link, STRANGER, -1, follow_symlinks=False)
    refused(link, "link belongs to another user")
    os.chown(place.parent, STRANGER, -1)
    refused(place, "set belongs to another user than the file")
    os.chown(place, STRANGER, -1)
    assert read_owned(place, 100).owner == STRANGER


def test_what_is_mounted_read_only_is_safe_whatever_its_rights_are(place, monkeypatch):
    """A ConfigMap's files are in folders that everybody might write to."""
    place.parent.chmod(0o777)
    mounted = os.statvfs_result((0,) * 8 + (os.ST_RDONLY, 255))
    monkeypatch.setattr("os.statvfs", lambda _: mounted)
    assert read_owned(place, 100).content == b"content"


def test_what_is_no_file_blocks_nobody(place, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    refused(tmp_path / "pipe", "pipe is no file")
    with pytest.raises(IsADirectoryError):
        read_owned(place.parent, 100)
    (tmp_path / "circle").symlink_to("circle")
    with pytest.raises(OSError, match="Too many levels"):
        read_owned(tmp_path / "circle", 100)
    with pytest.raises(FileNotFoundError):
        read_owned(tmp_path / "nothing", 100)
