"""Files of the ledger, spoiled: one sentence says what to do, or rows are read.

Parquet's pages have no checksum here, so that a spoiled figure can be read as another one: what the
ledger says is held against the topic by `refusion verify`, and made again from it.
"""

import random
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from streams.kit.errors import UserError
from streams.ledger.cuts import cuts_of
from streams.ledger.table import LedgerTable
from tests.fuzz.kinds import Case, check_told
from tests.fuzz.mutations import by_bytes_or, spoil_bytes, spoil_json
from tests.support.postings import ledger_of, marker, posting

ANNA: Final = "6101801234"
LOG: Final = "_delta_log"


class LedgerFiles:
    """Data files and the log of a ledger with two runs of one partition."""

    name = "ledger"

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="fuzz-ledger-"))
        row = {"amount_ore": 270968, "refusion_ore": 216774}
        messages = [posting(ANNA, 1, row), marker(49), posting(ANNA, 2, row, row), marker(50)]
        ledger_of(self._folder, messages)
        files = sorted(path for path in self._folder.rglob("*") if path.is_file())
        self._paths = {
            f"{number}|{path.suffix[1:]}": path
            for number, path in enumerate(path for path in files if path.suffix != ".crc")
        }
        self.samples = {name: path.read_bytes() for name, path in self._paths.items()}
        self._rows = self._read()
        assert len(self._rows[0]) == 5

    def spoil(self, chance: random.Random, whole: bytes, others: Sequence[bytes]) -> bytes:
        if not whole.startswith(b"{"):
            return spoil_bytes(chance, whole, others)
        lines = whole.splitlines()
        at = chance.randrange(len(lines))
        lines[at] = by_bytes_or(spoil_json, chance, lines[at], [lines[0]])
        return b"\n".join(lines) + b"\n"

    def check(self, case: Case) -> bool:
        path = self._paths[case.sample]
        path.write_bytes(case.content)
        try:
            rows = self._read()
        except UserError as error:
            check_told(error, ANNA.encode())
            return False
        finally:
            path.write_bytes(self.samples[case.sample])
        return rows == self._rows

    def _read(self) -> tuple[list[object], object, object]:
        ledger = LedgerTable.open(str(self._folder))
        return [*ledger.rows("SELECT * FROM ledger")], cuts_of(ledger, 50), ledger.progress(0)
