import hashlib
import hmac
import pickle
from base64 import urlsafe_b64encode
from itertools import product

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from streams.privacy import identity
from streams.privacy.identity import Identity, SealError, key_id

PSEUDONYM_KEY, OLD_KEY, NEW_KEY = (bytes([number]) * 32 for number in (1, 2, 3))
CPR = "6101801234"


@pytest.fixture
def names() -> Identity:
    return Identity(PSEUDONYM_KEY, (OLD_KEY,))


def test_a_citizen_is_the_beginning_of_an_hmac(names):
    citizen, _ = names.of(CPR)
    assert citizen == hmac.new(PSEUDONYM_KEY, CPR.encode(), hashlib.sha256).hexdigest()[:32]


def test_a_sealed_cpr_is_aes_siv_with_the_citizen_as_associated_data(names):
    citizen, sealed = names.of(CPR)
    expected = AESSIV(OLD_KEY).encrypt(CPR.encode(), [citizen.encode()])
    assert sealed == f"{key_id(OLD_KEY)}.{urlsafe_b64encode(expected).decode().rstrip('=')}"


def test_the_same_cpr_gives_the_same_bytes_in_every_process(names):
    assert names.of(CPR) == names.of(CPR) == Identity(PSEUDONYM_KEY, (OLD_KEY,)).of(CPR)


def test_a_seal_opens_for_its_citizen(names):
    citizen, sealed = names.of(CPR)
    assert names.unseal(citizen, sealed) == CPR
    assert CPR not in sealed


def test_after_a_rotation_the_new_key_seals_and_both_unseal():
    before, after = Identity(PSEUDONYM_KEY, (OLD_KEY,)), Identity(PSEUDONYM_KEY, (NEW_KEY, OLD_KEY))
    citizen, sealed_before = before.of(CPR)
    same_citizen, sealed_after = after.of(CPR)
    assert citizen == same_citizen
    assert sealed_after.startswith(key_id(NEW_KEY) + ".")
    assert [after.unseal(citizen, sealed) for sealed in (sealed_before, sealed_after)] == [CPR, CPR]
    assert after.unseal_record(before.seal_record(b"{}")) == b"{}"


def test_a_key_that_is_gone_is_said_to_be_gone(names):
    citizen, sealed = Identity(PSEUDONYM_KEY, (NEW_KEY,)).of(CPR)
    with pytest.raises(SealError, match="not in REFUSION_SEAL_KEY"):
        names.unseal(citizen, sealed)


def test_a_seal_does_not_open_for_another_citizen(names):
    _, sealed = names.of(CPR)
    with pytest.raises(SealError, match="broken"):
        names.unseal(names.of("6202801234")[0], sealed)


def test_no_character_of_a_seal_can_be_changed(names):
    citizen, sealed = names.of(CPR)
    start = sealed.index(".") + 1
    for at, other in product(range(start, len(sealed)), "Aa-_=. å"):
        changed = sealed[:at] + other + sealed[at + 1 :]
        if changed != sealed:
            with pytest.raises(SealError):
                names.unseal(citizen, changed)


@pytest.mark.parametrize(
    "sealed", ["", ".", "no key", "k1.", f"{key_id(OLD_KEY)}.", f"{key_id(OLD_KEY)}.AAAA", "\ud800"]
)
def test_what_was_never_a_seal_is_refused(names, sealed):
    with pytest.raises(SealError):
        names.unseal("0" * 32, sealed)


@pytest.mark.parametrize("record", [b"", b"{}", b"\x00\xff", bytes(range(256)) * 400], ids=len)
def test_a_record_comes_back_byte_for_byte(names, record):
    sealed = names.seal_record(record)
    assert sealed.isascii()
    assert names.unseal_record(sealed) == record
    assert names.seal_record(record) == sealed


def test_a_sealed_cpr_is_no_sealed_record_and_the_other_way_round(names):
    citizen, sealed = names.of(CPR)
    with pytest.raises(SealError):
        names.unseal_record(sealed.encode())
    with pytest.raises(SealError):
        names.unseal(citizen, names.seal_record(CPR.encode()).decode())


@pytest.mark.parametrize("sealed", [b"", b"\xff\xfe", b"{}"])
def test_bytes_that_were_never_sealed_are_refused(names, sealed):
    with pytest.raises(SealError):
        names.unseal_record(sealed)


def test_nothing_shown_leaks_a_key_or_a_cpr(names):
    citizen, sealed = names.of(CPR)
    with pytest.raises(SealError) as caught:
        names.unseal(citizen, sealed[:-1])
    for shown in (repr(names), str(names), key_id(OLD_KEY), repr(caught.value)):
        assert all(
            secret not in shown
            for secret in (CPR, sealed, OLD_KEY.hex(), repr(OLD_KEY), PSEUDONYM_KEY.hex())
        )
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_an_identity_does_not_leave_its_process(names):
    with pytest.raises(TypeError):
        pickle.dumps(names)


@pytest.mark.parametrize(
    ("pseudonym_key", "seal_keys"),
    [(b"", (OLD_KEY,)), (PSEUDONYM_KEY, ()), (PSEUDONYM_KEY, (b"x",))],
)
def test_keys_of_another_length_are_refused(pseudonym_key, seal_keys):
    with pytest.raises(ValueError, match="32 bytes"):
        Identity(pseudonym_key, seal_keys)


def test_the_cache_is_bounded(monkeypatch):
    monkeypatch.setattr(identity, "CACHED_CITIZENS", 2)
    names = Identity(PSEUDONYM_KEY, (OLD_KEY,))
    for number in range(5):
        names.of(f"61018012{number:02}")
    assert names.of.cache_info().currsize == 2
