"""Delivery to a real SFTP server (asyncssh's own): each file once and whole, to known hosts only.

Connections drop and processes die on the way."""

import json
import os
import subprocess
from pathlib import Path

import asyncssh
import pytest

from streams.ledger import delivery, sftp
from streams.ledger.delivery import ServerAddress
from streams.ledger.receipts import RECEIPTS, DeliveryError, exported_files, receipts_in
from tests.streams.ledger.conftest import PROGRAM
from tests.support.sftp_server import LARGE, RUN, of_run, receipts


def test_files_are_delivered_whole_and_once_with_a_receipt_each(
    program, server, exported, environment
):
    dry = program("--dry-run")
    assert (dry.stdout, server.names) == (
        "2 files would be delivered, 0 were delivered before\n",
        [],
    )
    done = program()
    assert (done.returncode, done.stdout) == (0, "delivered 2 files, 1.3 MB\n"), done.stderr
    assert server.files() == of_run(exported)
    assert {name.rpartition(".")[2] for name in server.names} == {"part"}, (
        "a file is written under its own name"
    )
    told = receipts(environment)
    assert [receipt["file"] for receipt in told] == sorted(of_run(exported))
    assert told[0] | {"at": ""} == {
        "at": "",
        "to": f"sftp://127.0.0.1:{server.port}/in/730",
        "file": min(of_run(exported)),
        "bytes": LARGE,
        "sha256": exported_files(exported, RUN, "730")[0].sha256,
        "host_key": asyncssh.read_private_key(str(server.keys / "host")).get_fingerprint(),
    }  # fmt: skip
    written = server.written
    again = program("--json")
    assert json.loads(again.stdout) == {"files": 0, "bytes": 0, "passed_over": 2, "found": 0}
    assert server.written == written


def test_nothing_is_sent_to_a_server_whose_key_is_not_known(program, server):
    server.known("stranger")
    done = program()
    assert (done.returncode, done.stdout) == (2, "")
    assert "the host key of 127.0.0.1 is not in" in done.stderr
    assert "Traceback" not in done.stderr
    (server.keys / "known_hosts").write_text("")
    assert "nothing was sent" in program().stderr
    assert "there is no file" in program(REFUSION_SFTP_KNOWN_HOSTS="/nowhere").stderr
    assert server.files() == {}


def test_a_server_that_refuses_our_key_is_reported(program, server):
    done = program(REFUSION_SFTP_KEY=str(server.keys / "stranger"))
    assert (done.returncode, server.files()) == (2, {})
    assert "does not let us in" in done.stderr


@pytest.mark.parametrize("write", [1, 17, 40])
def test_a_dropped_connection_is_made_again_and_the_upload_goes_on(
    deliver, server, exported, monkeypatch, write
):
    monkeypatch.setattr(delivery, "WAIT_S", 0.01)
    server.drop_at = write
    assert deliver().files == 2
    assert server.files() == of_run(exported)
    assert server.written < LARGE + 3 * sftp.BLOCK, "it began again from the start"


def test_a_server_that_stays_away_is_given_up_and_what_is_delivered_stays(
    deliver, server, exported, monkeypatch
):
    monkeypatch.setattr(delivery, "WAIT_S", 0.01)
    deliver()
    (exported / f"yr-ydelsesrefusion-advisering-730-{RUN:04d}-2024-03-09.csv").write_bytes(
        b"CPR nummer;\n"
    )
    port = server.port
    server.port = 1
    with pytest.raises(
        DeliveryError, match=r":1 cannot be reached .* after 5 tries, 3 of 3 files are left"
    ):
        deliver()
    server.port = port
    assert deliver().passed_over == 2


def test_a_delivery_that_is_killed_in_an_upload_goes_on_where_it_was(
    program, server, exported, environment
):
    killed = program(REFUSION_TEST_KILL="deliver:before_commit:3")
    assert killed.returncode == -9
    assert {name.rpartition(".")[2] for name in server.files()} == {"part"}, (
        "half a file can be seen"
    )
    assert receipts(environment) == []
    assert program().stdout == "delivered 2 files, 1.3 MB\n"
    assert server.files() == of_run(exported)
    assert server.written <= LARGE + sftp.BLOCK + 7, "it began again from the start"


def test_a_delivery_that_is_killed_before_its_receipt_gets_it_later(
    program, server, exported, environment
):
    assert program(REFUSION_TEST_KILL="deliver:after_commit:1").returncode == -9
    assert receipts(environment) == []
    done = program()
    assert done.stdout == "delivered 1 files, 0.0 MB; 1 were there already and now have a receipt\n"
    assert server.files() == of_run(exported)
    assert len(receipts(environment)) == 2


def test_a_file_that_is_changed_while_it_is_uploaded_gets_no_receipt(
    deliver, server, exported, environment, monkeypatch
):
    """Another export has put a file of the same length there, so that no size tells."""
    path = exported / min(of_run(exported))
    before = path.read_bytes()

    def changed(*_):
        path.write_bytes(before[:-1] + b"?")

    monkeypatch.setattr(sftp, "reached", changed)
    with pytest.raises(DeliveryError, match="was changed while it was uploaded; nothing of it is"):
        deliver()
    assert (server.files(), receipts(environment)) == ({}, [])
    monkeypatch.undo()
    path.write_bytes(before)
    assert deliver().files == 2
    assert server.files() == of_run(exported)


def test_the_rest_of_another_upload_is_overwritten(deliver, server, exported):
    name = min(of_run(exported))
    (server.root / "in" / "730" / f"{name}.part").write_bytes(
        b"something else that is longer" * 100_000
    )
    deliver()
    assert server.files() == of_run(exported)


def test_a_delivered_file_is_not_replaced(deliver, server, exported):
    name = min(of_run(exported))
    there = server.root / "in" / "730" / name
    there.write_bytes(b"another's")
    with pytest.raises(DeliveryError, match=r"is on 127\.0\.0\.1 with other content"):
        deliver()
    assert there.read_bytes() == b"another's"
    there.unlink()
    deliver()
    (exported / name).write_bytes(b"exported anew")
    with pytest.raises(DeliveryError, match=r"was delivered to sftp://.* with other content"):
        deliver()
    assert there.read_bytes() != b"exported anew"


def test_a_missing_folder_is_reported(deliver, server):
    with pytest.raises(DeliveryError, match=r"127\.0\.0\.1 has no folder /nowhere; look at the"):
        deliver(folder="/nowhere")
    assert server.files() == {}


def test_a_receipt_that_was_cut_off_is_ignored(deliver, environment):
    deliver()
    path = Path(environment["REFUSION_STATE_DIR"]) / RECEIPTS
    path.write_bytes(path.read_bytes()[:-20])
    assert vars(deliver()) == {"files": 0, "bytes": 0, "passed_over": 1, "found": 1}
    assert len(receipts(environment)) == 2


def test_there_is_one_delivery_at_a_time(tmp_path):
    with (
        receipts_in(tmp_path),
        pytest.raises(DeliveryError, match="another delivery is at work"),
        receipts_in(tmp_path),
    ):
        pass


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("sftp://user:secret@host/in", "has a password in it"),
        ("ftp://host/in", "must be an address like sftp://"),
        ("sftp:///in", "must be an address like sftp://"),
        ("sftp://host:port/in", "must be an address like sftp://"),
    ],
)
def test_an_invalid_address_is_reported(url, said):
    with pytest.raises(DeliveryError, match=said) as caught:
        ServerAddress.of(url)
    assert "secret" not in str(caught.value)


def test_a_run_without_files_is_reported(tmp_path):
    with pytest.raises(DeliveryError, match="refusion export --run 7"):
        exported_files(tmp_path, 7, None)


def test_the_files_of_all_municipalities_never_go_to_one_folder(tmp_path):
    for code in ("101", "730", "751"):
        name = f"yr-ydelsesrefusion-beregning-{code}-0050-2024-03-09.csv"
        (tmp_path / name).write_bytes(b"x;y\n")
    to = ["--to", "sftp://user@randers.example/inbox", "--dry-run"]
    command = [str(PROGRAM), "deliver", "--run", str(RUN), "--from", str(tmp_path), *to]
    environment = os.environ | {"REFUSION_DEMO": "1", "REFUSION_STATE_DIR": str(tmp_path / "state")}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert (done.returncode, done.stdout) == (2, "")
    assert "one folder for the files of all municipalities" in done.stderr
    one = [*command, "--municipality", "730"]
    done = subprocess.run(one, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("1 files would be delivered")
