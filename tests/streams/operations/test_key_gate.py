"""Nothing is written with keys that are not the journal's, nor with demo keys to other machines."""

from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from streams.kit.errors import UnworkableError
from streams.operations.key_gate import KeyGate, Samples, check_demo_keys
from streams.operations.stated_keys import keys_record
from streams.privacy.derived_keys import derived_key
from streams.settings import Settings
from streams.wire import journal

ONE, TWO, THREE = "0a" * 32, "0b" * 32, "0c" * 32
CPRS = [f"010180{number:04}" for number in range(20)]


def keys(pseudonym=ONE, seal=TWO, journal_key="", **more) -> Settings:
    given = {"PSEUDONYM_KEY": pseudonym, "SEAL_KEY": seal, "JOURNAL_KEY": journal_key} | more
    return Settings.load({f"REFUSION_{name}": text for name, text in given.items()})


OURS = keys()
JOURNAL_OF_OURS = derived_key(bytes.fromhex(ONE), "journal").hex()


def record(key: bytes | None, value: bytes, settings: Settings | None = OURS) -> Any:
    mac = settings and settings.macs().at("reports", 0).header(key, b"", value)
    return SimpleNamespace(offset=0, key=key, value=value, headers=[mac] if mac else [])


def report(settings: Settings, cpr: str, *, has_mac: bool = True) -> Any:
    citizen, sealed = settings.identity().of(cpr)
    value = orjson.dumps({"cpr_sealed": sealed})
    return record(citizen.encode(), value, settings if has_mac else None)


def stated(settings: Settings) -> Any:
    value = journal.encode_control(keys_record(settings), "2024-02-01T08:00:00Z")
    return record(None, value, settings)


def gate_of(settings: Settings) -> KeyGate:
    return KeyGate(settings.macs(), settings.identity() if settings.has_keys else None)


def look(settings: Settings, first, newest=(), stated=()) -> None:
    gate_of(settings).look_at(0, first, newest, stated)


BEGUN = [stated(OURS), *(report(OURS, cpr) for cpr in CPRS)]


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        (keys(pseudonym=THREE, journal_key=JOURNAL_OF_OURS), "REFUSION_PSEUDONYM_KEY"),
        (keys(seal=THREE), "REFUSION_SEAL_KEY"),
        (keys(pseudonym=THREE), "REFUSION_PSEUDONYM_KEY"),
        (keys(journal_key=THREE), "REFUSION_JOURNAL_KEY"),
    ],
)
def test_other_keys_than_those_that_the_journal_states_are_refused(settings, named):
    for first in (BEGUN, BEGUN[:1]):
        with pytest.raises(UnworkableError, match=named):
            look(settings, first)


def test_the_keys_of_the_journal_pass():
    look(OURS, [])
    look(OURS, BEGUN, BEGUN[-5:])
    look(keys(seal=f"{THREE},{TWO}"), BEGUN, [report(keys(seal=f"{THREE},{TWO}"), CPRS[0])])


def test_records_of_others_say_nothing_of_our_keys():
    others = [report(keys(pseudonym=THREE), cpr, has_mac=False) for cpr in CPRS]
    look(OURS, BEGUN, others)


@pytest.mark.parametrize("has_mac", [False, True])
def test_the_first_and_the_newest_records_of_a_journal_of_before_decide(has_mac):
    ours = [report(OURS, cpr, has_mac=False) for cpr in CPRS]
    others = [report(keys(pseudonym=THREE), cpr, has_mac=has_mac) for cpr in CPRS]
    look(OURS, ours, [*ours[:4], others[0]])
    for first, newest in ((others, ours), (ours, others)):
        with pytest.raises(UnworkableError):
            look(OURS, first, newest)


def test_what_somebody_wrote_before_the_keys_changes_nothing():
    value = journal.encode_control(keys_record(keys(THREE, THREE)), "2024-02-01T08:00:00Z")
    before = [record(None, value, None), record(None, b"{", None), record(b"x", b"\xff", None)]
    look(OURS, [*before, *BEGUN])
    look(OURS, before)
    for others in (keys(pseudonym=THREE), keys(seal=THREE), keys(journal_key=THREE)):
        with pytest.raises(UnworkableError):
            look(others, [*before, *BEGUN])


OTHERS = keys(THREE, THREE)
FLOOD = [
    *(report(OTHERS, cpr) for cpr in CPRS[:10]),
    *(stated(OTHERS) for _ in range(5)),
    *(record(None, orjson.dumps({"type": "run"}), OTHERS) for _ in range(5)),
]
"""Somebody marked them with a key of his own: as many records as are looked at."""


@pytest.mark.parametrize("reader", [OURS, keys("", "", journal_key=JOURNAL_OF_OURS)])
def test_no_number_of_macs_by_keys_that_nobody_stated_stops_who_has_the_keys(reader):
    claimed = [
        SimpleNamespace(**vars(each) | {"headers": [(name, OURS_ID + text[9:])]})
        for each in FLOOD
        for name, text in each.headers
    ]
    for flood in (FLOOD, claimed, FLOOD[:1]):
        look(reader, BEGUN, flood)
        look(reader, [*flood[10:12], *BEGUN], flood)
        look(reader, flood, flood, [keys_record(OURS)])
    assert gate_of(reader).is_in_doubt(0, BEGUN, FLOOD)
    assert not gate_of(reader).is_in_doubt(0, BEGUN, [*BEGUN, *claimed])
    assert gate_of(reader).is_in_doubt(0, FLOOD, BEGUN)


OURS_ID = OURS.macs().key_id.encode()
NEWER = keys(journal_key=f"{THREE},{JOURNAL_OF_OURS}")


def test_a_key_that_the_journal_states_and_we_lack_is_refused():
    """It is a mistake that a flood of forged records cannot make: an old key marks the new one."""
    macs = NEWER.macs().marking_with(OURS.macs().key_id)
    assert macs.key_ids == (OURS.macs().key_id, NEWER.macs().key_id)
    newest = [report(NEWER, cpr) for cpr in CPRS]
    assert gate_of(OURS).is_in_doubt(0, BEGUN, newest)
    for first, later in ((BEGUN, [keys_record(NEWER)]), ([*BEGUN, rotated(macs)], [])):
        with pytest.raises(UnworkableError, match="states a key for its MACs"):
            look(OURS, first, newest, later)
        look(NEWER, first, newest, later)
    look(OURS, BEGUN, newest)  # nobody whom we believe stated it


def test_a_key_that_the_journal_does_not_state_marks_nothing():
    """A mistyped first key would be the journal's, if a start alone could state it."""
    newest = [report(OURS, cpr) for cpr in CPRS]
    samples = [Samples(0, BEGUN, newest)]
    assert gate_of(OURS).unstated(samples) is None
    assert gate_of(NEWER).unstated(samples) == NEWER.macs().key_id
    assert gate_of(NEWER).unstated(samples, [keys_record(OURS)]) == NEWER.macs().key_id
    assert gate_of(NEWER).unstated(samples, [keys_record(NEWER)]) is None
    behind = keys(journal_key=f"{JOURNAL_OF_OURS},{THREE}")
    assert gate_of(behind).unstated(samples) is None, "a key that marks nothing may be there before"


def test_a_first_key_that_seals_and_that_the_journal_does_not_state_is_told():
    """It may be mistyped: what it seals is read by nobody who has the right keys."""
    samples = [Samples(0, BEGUN, [report(OURS, cpr) for cpr in CPRS])]
    newer = keys(seal=f"{THREE},{OURS.values['REFUSION_SEAL_KEY'][0]}", journal_key=JOURNAL_OF_OURS)
    assert gate_of(OURS).unstated_seal(samples) is None
    assert gate_of(newer).unstated_seal(samples) == newer.identity().seal_key_ids[0]
    assert gate_of(newer).unstated_seal(samples, [keys_record(newer)]) is None
    of_before = [report(OURS, cpr, has_mac=False) for cpr in CPRS]
    assert gate_of(newer).unstated_seal([Samples(0, of_before, of_before)]) is None


def test_a_key_that_marked_records_of_ours_is_one_that_was_stated():
    """The whole journal need not be read then for the record that states it."""
    newest = [report(NEWER, cpr) for cpr in CPRS]
    assert gate_of(NEWER).unstated([Samples(0, BEGUN, newest)]) is None
    forged = [each for each in FLOOD if each.key]
    assert gate_of(NEWER).unstated([Samples(0, BEGUN, forged)]) == NEWER.macs().key_id


def test_a_journal_that_never_stated_its_keys_fits_every_first_key():
    of_before = [report(OURS, cpr, has_mac=False) for cpr in CPRS]
    assert gate_of(NEWER).unstated([Samples(0, of_before, of_before)]) is None
    assert gate_of(NEWER).unstated([Samples(0, [], [])]) is None


def rotated(macs):
    value = journal.encode_control(keys_record(NEWER), "2024-02-01T08:00:00Z")
    header = macs.at("reports", 0).header(None, b"", value)
    return SimpleNamespace(offset=0, key=None, value=value, headers=[header])


def test_demo_keys_are_for_a_broker_on_the_same_machine():
    demo = {"REFUSION_DEMO": "1"}
    for bootstrap in ("127.0.0.1:9092", "localhost:1,127.0.0.1:2", "[::1]:9092"):
        check_demo_keys(Settings.load(demo | {"REFUSION_BOOTSTRAP": bootstrap}))
    elsewhere = demo | {"REFUSION_BOOTSTRAP": "127.0.0.1:9092,kafka.example:9092"}
    with pytest.raises(UnworkableError, match="REFUSION_DEMO_ANYWHERE"):
        check_demo_keys(Settings.load(elsewhere))
    check_demo_keys(Settings.load(elsewhere | {"REFUSION_DEMO_ANYWHERE": "1"}))
    own = {"REFUSION_PSEUDONYM_KEY": ONE, "REFUSION_SEAL_KEY": TWO}
    check_demo_keys(Settings.load(elsewhere | own))
