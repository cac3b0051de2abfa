"""Entries of the state, spoiled: their citizen's state is refused, and no other citizen's is."""

import random
from collections.abc import Sequence
from typing import Final

import orjson

from domain.citizen.records import NewerStateError, StateError
from streams.citizens.store_port import MemoryStore
from streams.kit.errors import UserError
from tests.fuzz.journal import CITIZEN, StageInMemory, Worked, record, reports_of, settled_state
from tests.fuzz.kinds import Case, check_told
from tests.fuzz.mutations import by_bytes_or, spoil_bytes, spoil_json
from tests.support.lines import RECALCULATE

OWN: Final = b"_partition/0"
ALL: Final = orjson.dumps(RECALCULATE)


class StateEntries:
    """Heads, months, remembered ids and the partition's own entry."""

    name = "state"

    def __init__(self) -> None:
        self._lives = [reports_of(seed) for seed in (1, 3, 4)]
        before = [report for reports in self._lives for report in reports[:-3]]
        self._state = settled_state(before)
        self._spoiled_citizen = self._lives[0][0][0]
        assert CITIZEN.encode() not in {life[0][0] for life in self._lives}
        own = self._spoiled_citizen + b"/"
        self._keys = {
            key.decode().replace("/", "|"): key
            for key in sorted(self._state)
            if key.startswith(own) or key == OWN
        }
        self.samples = {name: self._state[key] for name, key in self._keys.items()}
        self._records = self._all_records()
        self._neighbours = {life[0][0] for life in self._lives[1:]}
        self._alone = Worked(StageInMemory(self._state), self._records).of(self._neighbours)
        assert {message[1] for message in self._alone} == self._neighbours

    def _all_records(self) -> list[object]:
        """The last reports of each life by turns, and then everybody again."""
        turns = [
            turn
            for three in zip(*(life[-3:] for life in self._lives), strict=True)
            for turn in three
        ]
        records = [record(at, *turn) for at, turn in enumerate(turns, 100)]
        return [*records, record(200, None, ALL)]

    def spoil(self, chance: random.Random, whole: bytes, others: Sequence[bytes]) -> bytes:
        if whole[:1] in b"[{" and all(other[:1] in b"[{" for other in others):
            return by_bytes_or(spoil_json, chance, whole, others)
        return spoil_bytes(chance, whole, others)

    def check(self, case: Case) -> bool:
        key = self._keys[case.sample]
        state = MemoryStore(self._state)
        state.write([(key, case.content)])
        stage = StageInMemory(state)
        try:
            worked = Worked(stage, self._records)
        except (StateError, UserError) as error:
            check_told(error, case.content)
            self._check_thrown_away(error, stage)
            return False
        settled = worked.of(self._neighbours)
        if key == OWN:
            assert {message[1] for message in settled} == self._neighbours
        else:
            assert settled == self._alone
        return not worked.refused()

    @staticmethod
    def _check_thrown_away(error: Exception, stage: StageInMemory) -> None:
        is_newer = isinstance(error, UserError | NewerStateError)
        assert is_newer or stage.last.is_distrusted
