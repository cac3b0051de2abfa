"""Files of opening rows, spoiled: each line is loaded or listed, and its neighbours are loaded."""

import json
import random
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from streams.kit.errors import UserError
from streams.operations.openings import Files
from tests.fuzz.kinds import Case, check_told, tells_a_number_of
from tests.fuzz.mutations import by_bytes_or, spoil_bytes, spoil_json
from tests.fuzz.plain_controls import is_control
from tests.fuzz.records import CATALOGUE, OPENING
from tests.projections.test_opening_files import ADP, HEADER, KTH, KTH_LOW

FILE = "yr-ydelsesrefusion-beregning-730-0049-2024-03-09.csv"
OTHER_PERSON = KTH.replace("6101801234", "6101901357")
LAST = OTHER_PERSON.replace("2024-01-08", "2024-02-05")
"""The lines around a spoiled one are of another person, so that no sum is shared."""


class OpeningFiles:
    """Whole files `beregning`, single lines of one, and lines of JSON."""

    name = "opening"

    def __init__(self) -> None:
        self._files = Files(CATALOGUE, True, None)
        self._folder = Path(tempfile.mkdtemp(prefix="fuzz-opening-"))
        self.samples = {
            "file": "\n".join([HEADER, KTH, ADP, OTHER_PERSON, ""]).encode(),
            "line": KTH.encode(),
            "line2": ADP.encode(),
            "line3": (KTH_LOW + ";id;;Indberetning").encode(),
            "json": json.dumps(OPENING).encode(),
        }
        self._around = self._rows(f"{HEADER}\n{OTHER_PERSON}\n{LAST}\n".encode(), FILE)[0]
        assert len(self._around) == 2

    def spoil(self, chance: random.Random, whole: bytes, others: Sequence[bytes]) -> bytes:
        if whole.startswith(b"{"):
            return by_bytes_or(spoil_json, chance, whole, [whole])
        if chance.random() < 0.5 and b"\n" not in whole:
            cells = whole.split(b";")
            at = chance.randrange(len(cells))
            cells[at] = spoil_bytes(chance, cells[at], others)
            return b";".join(cells)
        return spoil_bytes(chance, whole, others)

    def check(self, case: Case) -> bool:
        if case.sample == "json":
            return self._check_json(case)
        content = case.content
        if case.sample != "file":
            content = content.replace(b"\n", b" ")
            parts = HEADER.encode(), OTHER_PERSON.encode(), content, LAST.encode(), b""
            content = b"\n".join(parts)
        try:
            rows, listed = self._rows(content, FILE)
        except UserError as error:
            check_told(error, content)
            return False
        assert not tells_a_number_of(content, " ".join(map(repr, listed)))
        if case.sample != "file" and b"6101901357" not in case.content:
            others = [row for row in rows if row[1] == "6101901357"]
            assert others == self._around
        return not listed

    def _check_json(self, case: Case) -> bool:
        good = json.dumps(OPENING | {"cpr": "6101901357"}).encode()
        line = case.content.replace(b"\n", b" ")
        try:
            rows, listed = self._rows(b"\n".join([good, line, good, b""]), "rows.jsonl")
        except UserError as error:
            check_told(error, line)
            return False
        mine = line.rstrip(b"\r\n")
        is_opening = b'"opening"' in mine and is_control(mine, CATALOGUE)
        assert len(rows) == 2 + is_opening, listed
        assert not tells_a_number_of(line, " ".join(map(repr, listed)))
        return is_opening

    def _rows(self, content: bytes, name: str) -> tuple[list[Any], list[Any]]:
        path = self._folder / name
        path.write_bytes(content)
        self._files.listed = []
        rows = [(accepted.report, accepted.cpr) for _, accepted in self._files.rows([path])]
        return rows, [*self._files.listed]
