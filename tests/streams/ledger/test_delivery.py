"""Delivery to a real SFTP server (asyncssh's own): each file once and whole, to known hosts only.

Connections drop and processes die on the way."""

import asyncio
import gc
import json
import os
import random
import socket
import subprocess
import sys
import threading
from pathlib import Path

import asyncssh
import pytest

from streams.ledger import delivery, sftp
from streams.ledger.delivery import FileDelivery, ServerAddress
from streams.ledger.receipts import RECEIPTS, DeliveryError, exported_files, incomplete, receipts_in
from streams.settings import Settings

PROGRAM = Path(sys.executable).parent / "refusion"
RUN = 50
LARGE = 5 * sftp.BLOCK + 7
TIMEOUT_S = 60


class Served(asyncssh.SFTPServer):
    """A session of the server, which may refuse a kind of request, or never answer it."""

    def __init__(self, channel, server):
        super().__init__(channel, chroot=str(server.root).encode())
        self.server = server

    def _answer(self, name, answer):
        if name == self.server.silent:
            return asyncio.sleep(100_000)
        if name == self.server.forbidden:
            raise asyncssh.SFTPPermissionDenied(f"no {name}")
        return answer()

    def stat(self, path):
        return self._answer("stat", lambda: super(Served, self).stat(path))

    def rename(self, oldpath, newpath):
        return self._answer("rename", lambda: super(Served, self).rename(oldpath, newpath))

    def close(self, file_obj):
        return self._answer("close", lambda: super(Served, self).close(file_obj))

    def open(self, path, pflags, attrs):
        if pflags & asyncssh.FXF_WRITE:
            self.server.names.append(path.decode())
        return self._answer("open", lambda: super(Served, self).open(path, pflags, attrs))

    def write(self, file_obj, offset, data):
        if self.server.drop_at:
            self.server.drop_at -= 1
            if not self.server.drop_at:
                self.channel.get_connection().abort()
        if self.server.silent != "write":
            self.server.written += len(data)
        return self._answer("write", lambda: super(Served, self).write(file_obj, offset, data))


class Server:
    """An SFTP server in a thread; `drop_at` closes the connection after a number of writes."""

    def __init__(self, folder):
        self.root, self.keys = folder / "served", folder / "keys"
        (self.root / "in" / "730").mkdir(parents=True)
        self.keys.mkdir()
        for name in ("host", "client", "stranger"):
            asyncssh.generate_private_key("ssh-ed25519").write_private_key(str(self.keys / name))
        self.written = 0
        self.drop_at = 0
        self.names: list[str] = []
        self.silent = ""
        """Name of the request that gets no answer."""
        self.forbidden = ""
        """Name of the request that is not allowed."""
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.port = asyncio.run_coroutine_threadsafe(self._listen(), self.loop).result(TIMEOUT_S)
        self.known("host")

    def known(self, name):
        """Make a host key the known one."""
        public = (
            asyncssh.read_private_key(str(self.keys / name)).export_public_key().decode().strip()
        )
        (self.keys / "known_hosts").write_text(f"[127.0.0.1]:{self.port} {public}\n")

    async def _listen(self):
        client = asyncssh.read_private_key(str(self.keys / "client")).export_public_key().decode()
        self.acceptor = await asyncssh.listen(
            "127.0.0.1",
            0,
            server_host_keys=[str(self.keys / "host")],
            authorized_client_keys=asyncssh.import_authorized_keys(client),
            sftp_factory=lambda channel: Served(channel, self),
        )
        return self.acceptor.get_port()

    def files(self):
        return {
            path.name: path.read_bytes()
            for path in sorted((self.root / "in").rglob("*"))
            if path.is_file()
        }

    def close(self):
        async def end():
            self.acceptor.close()
            await self.acceptor.wait_closed()
            answers = asyncio.all_tasks() - {asyncio.current_task()}  # some are never given
            for answer in answers:
                answer.cancel()
            await asyncio.gather(*answers, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(end(), self.loop).result(TIMEOUT_S)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(TIMEOUT_S)
        self.loop.close()


@pytest.fixture
def server(tmp_path):
    running = Server(tmp_path)
    yield running
    running.close()


@pytest.fixture
def exported(tmp_path):
    """A folder with files of run 50, one of them large, and of another run."""
    folder = tmp_path / "files"
    folder.mkdir()
    rng = random.Random(4)
    for code, run, size in (("730", RUN, LARGE), ("730", RUN - 1, 10), ("751", RUN, 0)):
        (folder / f"yr-ydelsesrefusion-beregning-{code}-{run:04d}-2024-03-09.csv").write_bytes(
            rng.randbytes(size)
        )
    (folder / f"yr-ydelsesrefusion-sumposteringer-730-{RUN:04d}-2024-03-09.csv").write_bytes(
        b"Konto;\n"
    )
    (folder / ".yr-ydelsesrefusion-advisering-730-0050-2024-03-09.csv.part").write_bytes(b"half")
    return folder


@pytest.fixture
def environment(server, tmp_path):
    return {
        "REFUSION_DEMO": "1",
        "REFUSION_STATE_DIR": str(tmp_path / "state"),
        "REFUSION_SFTP_KNOWN_HOSTS": str(server.keys / "known_hosts"),
        "REFUSION_SFTP_KEY": str(server.keys / "client"),
    }


@pytest.fixture
def deliver(environment, exported, server):
    """Delivers in this process."""

    def run(municipality="730", folder="/in/{municipality}"):
        settings = Settings.load(environment)
        place = ServerAddress.of(f"sftp://refusion@127.0.0.1:{server.port}{folder}")
        with receipts_in(settings.state_dir) as receipts:
            files = exported_files(exported, RUN, municipality)
            return asyncio.run(
                FileDelivery(settings, place, receipts).deliver(files, lambda *_: None)
            )

    return run


@pytest.fixture
def program(environment, exported, server):
    """Delivers with the program, as a user does."""

    def run(*arguments, **more):
        url = f"sftp://refusion@127.0.0.1:{server.port}/in/{{municipality}}"
        command = [
            PROGRAM,
            "deliver",
            "--run",
            str(RUN),
            "--from",
            exported,
            "--municipality",
            "730",
            "--to",
            url,
        ]
        return subprocess.run(
            [*command, *arguments],
            env=os.environ | environment | more,
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT_S,
        )  # fmt: skip

    return run


def of_run(exported):
    return {path.name: path.read_bytes() for path in exported.glob(f"yr*-730-{RUN:04d}-*")}


def receipts(environment):
    path = Path(environment["REFUSION_STATE_DIR"]) / RECEIPTS
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


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


def test_files_in_which_rows_are_missing_are_kept_back(tmp_path):
    for code in ("730", "751"):
        name = f"yr-ydelsesrefusion-beregning-{code}-0050-2024-03-09.csv"
        (tmp_path / name).write_bytes(b"x;y\n")
    (tmp_path / "left-out-run-0050.jsonl").write_text('{"municipality":"730","rows":1}\n')
    assert incomplete(tmp_path, RUN) == {"730"}
    assert incomplete(tmp_path, RUN - 1) == set()


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(sftp, "ANSWER_S", 0.2)
    monkeypatch.setattr(delivery, "WAIT_S", 0.01)


@pytest.mark.parametrize("request_name", ["stat", "open", "write", "close", "rename"])
@pytest.mark.usefixtures("impatient")
def test_a_server_that_stays_connected_and_never_answers_is_given_up(
    deliver, server, request_name, caplog
):
    server.silent = request_name
    gc.collect()  # what another test left is said before, not in this one's log
    caplog.clear()
    with pytest.raises(DeliveryError, match=r"cannot be reached \(it does not answer: .* 5 tries"):
        deliver()
    gc.collect()
    assert "never retrieved" not in caplog.text
    server.silent = ""
    assert deliver().files == 2


@pytest.mark.usefixtures("impatient")
def test_a_server_that_takes_a_connection_and_says_nothing_is_given_up(deliver, server):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        server.port = silent.getsockname()[1]
        with pytest.raises(DeliveryError, match=r"cannot be reached .* after 5 tries"):
            deliver()


def test_a_delivery_that_is_stopped_does_not_wait_for_a_silent_server(
    environment, exported, server
):
    """Cancelling a request would let its clean-up wait for the same server."""
    server.silent = "write"
    settings = Settings.load(environment)
    place = ServerAddress.of(f"sftp://refusion@127.0.0.1:{server.port}/in/{{municipality}}")

    async def stopped():
        files = exported_files(exported, RUN, "730")
        with receipts_in(settings.state_dir) as receipts:
            work = asyncio.ensure_future(
                FileDelivery(settings, place, receipts).deliver(files, lambda *_: None)
            )
            while not server.names:
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.1)
            work.cancel()
            done, _ = await asyncio.wait({work}, timeout=sftp.ANSWER_S / 2)
            return bool(done)

    assert asyncio.run(asyncio.wait_for(stopped(), TIMEOUT_S))


def test_a_silent_server_does_not_keep_deliveries_to_others_out(tmp_path):
    with receipts_in(tmp_path, "silent:22"), receipts_in(tmp_path, "other:22") as receipts:
        assert receipts.of("sftp://other:22/in", "a.csv") is None


@pytest.mark.parametrize(
    ("request_name", "said"),
    [
        (
            "rename",
            r"does not let us rename /in/730/yr-\S+\.part \(SFTPPermissionDenied: no rename",
        ),
        ("stat", r"does not let us look at /in/730 \(SFTPPermissionDenied: no stat\)"),
        ("open", r"does not let us write /in/730/yr-\S+\.part \(SFTPPermissionDenied: no open\)"),
    ],
)
def test_what_a_server_must_allow_is_told_before_anything_is_uploaded(
    deliver, server, request_name, said
):
    server.forbidden = request_name
    with pytest.raises(DeliveryError, match=f"{said}.*; our user must be allowed to"):
        deliver()
    assert server.written == 0


def test_a_file_of_this_machine_that_cannot_be_read_is_not_the_servers_fault(
    exported, server, environment
):
    settings = Settings.load(environment)
    place = ServerAddress.of(f"sftp://refusion@127.0.0.1:{server.port}/in/{{municipality}}")
    files = exported_files(exported, RUN, "730")
    files[0].path.unlink()
    with (
        receipts_in(settings.state_dir) as receipts,
        pytest.raises(DeliveryError, match=r"on this machine cannot be read: No such file"),
    ):
        asyncio.run(FileDelivery(settings, place, receipts).deliver(files, lambda *_: None))
