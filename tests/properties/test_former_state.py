"""State that the version before named records wrote is read, and goes on as if it were of today.

`state-format-2.json` holds reports of one life of each theme, the changelog records that the
former version wrote for the first half of them, and its answers to the other half.
`state-format-2.tar.gz` is its RocksDB folder after the first half.
"""

import subprocess

import orjson
import pytest

from domain.citizen.records import Part, SeenReport
from domain.citizen.state import Head
from streams.citizens.store import RocksStore
from streams.citizens.store_port import MemoryStore
from tests.support import product
from tests.support.places import FIXTURES

KEPT = orjson.loads((FIXTURES / "state-format-2.json").read_bytes())
CHANGELOG = [(key.encode(), value.encode()) for key, value in KEPT["changelog"]]


def from_the_changelog(_folder):
    store = MemoryStore()
    store.write(CHANGELOG)
    return store


def from_the_folder(folder):
    folder.mkdir()
    archive = FIXTURES / "state-format-2.tar.gz"
    subprocess.run(
        ["/usr/bin/env", "tar", "-xzf", archive, "-C", folder], check=True
    )  # as any Python can
    return RocksStore(folder)


@pytest.mark.parametrize("restored", [from_the_changelog, from_the_folder])
def test_the_same_postings_follow(restored, tmp_path):
    store = restored(tmp_path / "state")
    outcomes = product.outcomes(KEPT["later"], store, batch=7)
    assert [[text.decode() for text in outcome.postings] for outcome in outcomes] == KEPT[
        "postings"
    ]
    assert [[text.decode() for text in outcome.notices] for outcome in outcomes] == KEPT["notices"]
    assert [outcome.refused for outcome in outcomes] == KEPT["refused"]


def test_every_record_is_written_again_in_the_same_bytes():
    written = dict.fromkeys((Head, Part, SeenReport), 0)
    for key, value in CHANGELOG:
        entry = _entry(key.decode().partition("/")[2], value)
        assert entry.encode() == value
        written[type(entry)] += 1
    assert min(written.values()) >= 30


def _entry(name: str, value: bytes) -> Head | Part | SeenReport:
    if name == "head":
        return Head.decode(product.law(), value)
    return Part.decode(int(name), value) if name.isdecimal() else SeenReport.decode(value)


def test_today_writes_the_same_state_for_the_same_reports():
    """Take away the reversals that wait, which a head has at its end since."""
    store = MemoryStore()
    product.outcomes(KEPT["reports"], store, batch=7, restarts=True)
    assert {key: _as_before(key, value) for key, value in store.items()} == dict(CHANGELOG)
    assert 0 < sum(store[key] != value for key, value in dict(CHANGELOG).items()) < 10


def _as_before(key: bytes, value: bytes) -> bytes:
    if not key.endswith(b"/head"):
        return value
    head = Head.decode(product.law(), value)
    head.waiting = []
    return head.encode()
