"""A record is ours only if it proves it, and only where it was written."""

import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.privacy.derived_keys import derived_key
from streams.privacy.identity import Identity
from streams.privacy.macs import MAC, MacKeys, PlaceMac, event_type_of
from streams.settings import Settings, SettingsError

KEYS = MacKeys([b"a" * 32])
PLACE = KEYS.at("reports", 3)
TYPE, KEY, VALUE = b"refusion.report.reversal", b"9f" * 16, b'{"schema": 1}'
HEADERS = [("raw", b"r/0/1"), ("ce_type", TYPE), PLACE.header(KEY, TYPE, VALUE)]


def test_what_we_wrote_is_ours():
    assert PLACE.is_of(KEY, VALUE, HEADERS)
    state = KEYS.at("citizens", 0)
    assert state.is_of(KEY, b"[]", [state.header(KEY, b"", b"[]")])


@pytest.mark.parametrize(
    ("place", "key", "value", "headers"),
    [
        (KEYS.at("postings", 3), KEY, VALUE, HEADERS),
        (KEYS.at("reports", 2), KEY, VALUE, HEADERS),
        (PLACE, b"8f" * 16, VALUE, HEADERS),
        (PLACE, None, VALUE, HEADERS),
        (PLACE, KEY, VALUE + b" ", HEADERS),
        (PLACE, KEY, None, HEADERS),
        (PLACE, KEY, VALUE, [("ce_type", b"refusion.run"), HEADERS[-1]]),
        (PLACE, KEY, VALUE, HEADERS[:-1]),
        (PLACE, KEY, VALUE, [*HEADERS[:-1], (MAC, b"")]),
        (PLACE, KEY, VALUE, [*HEADERS[:-1], (MAC, b"\xff" * 42)]),
        (PLACE, KEY, VALUE, [*HEADERS[:-1], (MAC, None)]),
        (MacKeys([b"b" * 32]).at("reports", 3), KEY, VALUE, HEADERS),
    ],
)
def test_a_record_moved_to_another_topic_partition_key_or_type_is_foreign(
    place: PlaceMac, key, value, headers
):
    assert not place.is_of(key, value, headers)


texts = st.none() | st.binary(max_size=6)


records = st.tuples(texts, st.binary(max_size=6), texts)


@given(records, records)
def test_no_other_key_type_and_value_have_the_same_mac(one, other):
    assert (PLACE.header(*one) == PLACE.header(*other)) == (one == other)


def test_no_part_of_a_mac_looks_like_a_cpr_number():
    for number in range(200):
        _, text = PLACE.header(b"%d" % number, TYPE, VALUE)
        assert text.decode().partition(".")[2].isalpha()


def test_a_former_key_is_believed_and_marks_nothing():
    after = MacKeys([b"b" * 32, b"a" * 32])
    assert after.at("reports", 3).is_of(KEY, VALUE, HEADERS)
    assert after.at("reports", 3).header(KEY, TYPE, VALUE) != HEADERS[-1]
    assert "aaaa" not in repr(KEYS)


# --- keys by purpose ----------------------------------------------------------------------------

ONE, TWO, THREE = "0a" * 32, "0b" * 32, "0c" * 32


def keys(**settings: str) -> Settings:
    return Settings.load({f"REFUSION_{name}_KEY": key for name, key in settings.items()})


def test_derived_keys_are_the_same_for_ever():
    """RFC 5869 has two steps, each with HMAC."""
    extracted = hmac.digest(bytes(32), b"k" * 32, "sha256")
    info = b"ydelsesrefusion key for journal\x01"
    assert derived_key(b"k" * 32, "journal") == hmac.digest(extracted, info, "sha256")


def test_single_purpose_keys_go_on_working():
    given = keys(PSEUDONYM=ONE, SEAL=f"{TWO},{THREE}")
    assert given.identity().of("0101801234") == (
        Identity(bytes.fromhex(ONE), (bytes.fromhex(TWO), bytes.fromhex(THREE))).of("0101801234")
    )
    assert given.macs().key_ids == given.identity().macs.key_ids


def test_a_key_that_is_not_set_is_derived_from_the_master_key():
    master = keys(MASTER=ONE)
    identity = master.identity()
    assert master.macs().key_ids == identity.macs.key_ids
    citizen, sealed = identity.of("0101801234")
    assert identity.unseal(citizen, sealed) == "0101801234"
    assert keys(MASTER=ONE, SEAL=TWO).identity().of("0101801234")[0] == citizen
    assert keys(MASTER=TWO).identity().of("0101801234")[0] != citizen
    both = Settings.load({"REFUSION_DEMO": "1", "REFUSION_MASTER_KEY": ONE})
    assert both.identity().of("0101801234") == (citizen, sealed)
    assert not both.has_demo_keys


def test_who_closes_runs_needs_the_journal_key_alone():
    assert keys(JOURNAL=ONE).macs().key_ids == keys(JOURNAL=f"{ONE},{TWO}").macs().key_ids[:1]
    with pytest.raises(SettingsError, match="REFUSION_JOURNAL_KEY is not set"):
        keys().macs()
    assert keys().macs_if_set() is None


def test_demo_keys_are_known_wherever_they_are_given():
    demo = Settings.load({"REFUSION_DEMO": "1"})
    known = demo.values["REFUSION_SEAL_KEY"][0]
    assert demo.has_demo_keys
    assert keys(PSEUDONYM=ONE, SEAL=f"{TWO},{known}").has_demo_keys
    assert not keys(PSEUDONYM=ONE, SEAL=TWO).has_demo_keys


@given(
    st.lists(st.sampled_from(["ce_type", "ce_id", "mac", "x"]), max_size=9),
    st.lists(st.sampled_from([TYPE, b"refusion.run", b"", None]), min_size=9, max_size=9),
    st.integers(0, 9),
)
def test_of_several_types_that_decides_which_was_checked(names, contents, at):
    """Whoever may write can put further headers around the MAC of a genuine record."""
    mac = PLACE.header(b"key", TYPE, b"value")
    headers = [
        (name, b"no" if name == "mac" else content)
        for name, content in zip(names, contents, strict=False)
    ]
    headers.insert(at, mac)
    if PLACE.is_of(b"key", b"value", headers):
        assert event_type_of(headers) == TYPE


def test_many_records_of_one_type_have_the_macs_that_each_has():
    entries = [(b"k" * length, b"value" * length) for length in (0, 3, 1, 3, 40)]
    expected = [PLACE.header(key, TYPE, value) for key, value in entries]
    assert PLACE.headers_of(TYPE, entries) == expected
