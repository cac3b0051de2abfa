"""Fixtures of the tests of exports and deliveries: a ledger, an SFTP server, files of a run."""

import asyncio
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from streams.ledger.cuts import cuts_of
from streams.ledger.delivery import FileDelivery, ServerAddress
from streams.ledger.export import Export, FileChoice
from streams.ledger.receipts import exported_files, receipts_in
from streams.settings import Settings
from tests.support.postings import ledger_of
from tests.support.run_of_randers import NAMES, NOTICES, RANDERS
from tests.support.sftp_server import LARGE, RUN, TIMEOUT_S, Server


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


PROGRAM = Path(sys.executable).parent / "refusion"


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


@pytest.fixture
def settings(tmp_path):
    return Settings.load({"REFUSION_DEMO": "1", "REFUSION_STATE_DIR": str(tmp_path / "state")})


@pytest.fixture
def export(tmp_path, settings):
    """Exports a run of the ledger of Randers."""
    ledger = ledger_of(tmp_path / "ledger", *RANDERS)

    def run(
        number, only=None, notices=NOTICES, folder="out", parquet=False, overviews=None, jobs=1
    ):
        exporting = Export(settings, ledger, cuts_of(ledger, number), number, NAMES)
        choice = FileChoice(only, notices, parquet, overviews)
        return exporting.write(tmp_path / folder, choice, lambda *_: None, jobs)

    return run


@pytest.fixture
def export_program(tmp_path, settings):
    """Runs `refusion export` on a ledger, with the settings of the test."""

    def run(number, **more):
        given = {
            name: value
            for name, (value, origin) in settings.values.items()
            if origin == "environment"
        }
        given |= {"REFUSION_LEDGER": str(tmp_path / "ledger")}
        out = ["--out", str(tmp_path / "out"), "--without-notices", "--no-wait", "--json"]
        return subprocess.run(
            [str(PROGRAM), "export", "--run", str(number), *out],
            env=os.environ | given | more,
            check=False,
            capture_output=True,
            text=True,
        )

    return run
