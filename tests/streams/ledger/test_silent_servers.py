"""Delivery to a server that never answers or does not allow all, and from a disk that fails."""

import asyncio
import gc
import socket

import pytest

from streams.ledger import delivery, sftp
from streams.ledger.delivery import FileDelivery, ServerAddress
from streams.ledger.receipts import DeliveryError, exported_files, receipts_in
from streams.settings import Settings
from tests.support.sftp_server import RUN, TIMEOUT_S


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
