"""Backups go into a folder or an object store; both say in words what is wrong."""

import pytest

from streams.archive.object_store import ArchiveError, TakenError, open_store
from streams.kit.setting import SettingsError
from tests.support.object_server import object_server


@pytest.fixture(params=["folder", "file", "s3"])
def uri(request, tmp_path, monkeypatch):
    if request.param == "s3":
        with object_server(monkeypatch):
            yield "s3://backups/refusion"
    else:
        yield str(tmp_path / "backup") if request.param == "folder" else f"file://{tmp_path}/backup"


def test_files_are_written_listed_and_read(uri):
    store = open_store(uri)
    large = bytes(range(256)) * 50_000
    store.write("segments/reports/0001/7-ab.seg", large)
    store.write("segments/reports/0001/7-ab.seg", large)
    store.create("manifest/000001.json", b"{}")
    again = open_store(uri, must_exist=True)
    assert again.sizes("segments") == {"segments/reports/0001/7-ab.seg": len(large)}
    assert again.sizes("manifest") == {"manifest/000001.json": 2}
    assert again.sizes("nothing") == {}
    assert again.read("segments/reports/0001/7-ab.seg") == large


def test_a_file_is_created_once(uri):
    store = open_store(uri)
    store.create("manifest/000001.json", b"first")
    with pytest.raises(TakenError, match=r"has a file manifest/000001\.json already"):
        store.create("manifest/000001.json", b"second")
    assert store.read("manifest/000001.json") == b"first"


def test_a_file_that_is_not_there_is_named(uri):
    with pytest.raises(ArchiveError, match=f"{uri} has no file segments/none"):
        open_store(uri).read("segments/none")


def test_a_folder_that_must_be_there_is_named(tmp_path):
    with pytest.raises(ArchiveError, match="is no folder"):
        open_store(str(tmp_path / "none"), must_exist=True)
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("uri", ["nix://somewhere", "ftp://host/x", "s3://"])
def test_an_address_that_is_none_is_told_in_one_sentence(uri):
    with pytest.raises(ArchiveError) as raised:
        open_store(uri).sizes("manifest")
    assert "\n" not in str(raised.value)


def test_a_store_that_does_not_answer_is_told_in_one_sentence(monkeypatch):
    with object_server(monkeypatch):
        store = open_store("s3://backups/refusion")
    with pytest.raises(ArchiveError, match="manifest in s3://backups/refusion cannot be") as raised:
        store.sizes("manifest")
    assert "secret" not in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("uri", ["", "s3:backups/refusion", "file:/backups"])
def test_an_address_without_its_slashes_makes_no_folder(tmp_path, monkeypatch, uri):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ArchiveError, match="is no place for a backup"):
        open_store(uri)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def credentials(tmp_path, monkeypatch):
    """An object store whose credentials are in a file and not in the environment."""
    path = tmp_path / "credentials"
    with object_server(monkeypatch):
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.delenv(name)
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(path))
        yield path


def write(path, text):
    path.write_text(text)
    path.chmod(0o440)


def test_credentials_may_be_in_a_file(credentials, monkeypatch):
    write(credentials, "[default]\naws_access_key_id = somebody\naws_secret_access_key=a%b\n")
    open_store("s3://backups/refusion").write("a", b"content")
    assert open_store("s3://backups/refusion").read("a") == b"content"
    monkeypatch.setenv("AWS_PROFILE", "another")
    with pytest.raises(ArchiveError, match=r"in a part \[another\]"):
        open_store("s3://backups/refusion")


@pytest.mark.parametrize(
    "text", ["[default]\naws_access_key_id = hidden\n", "hidden", "[default]\nhidden", "[hidden]"]
)
def test_a_file_without_credentials_is_told_and_nothing_of_it(credentials, text):
    write(credentials, text)
    with pytest.raises(ArchiveError, match="has no aws_access_key_id and") as raised:
        open_store("s3://backups/refusion")
    assert "hidden" not in str(raised.value)


def test_a_file_of_credentials_that_others_may_read_is_refused(credentials):
    write(credentials, "[default]\naws_access_key_id = somebody\naws_secret_access_key=b\n")
    credentials.chmod(0o444)
    with pytest.raises(SettingsError, match=r"AWS_SHARED_CREDENTIALS_FILE .*chmod 600"):
        open_store("s3://backups/refusion")
