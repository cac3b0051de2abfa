"""Good lines that are spoiled: the validator judges them as a plain checker does."""

import json
import random
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from domain.citizen.reports import CaseFact, Income, Payment, Reversal
from streams.citizens.rule_sets import load_rule_set
from streams.wire.outcomes import Accepted
from streams.wire.rejections import REASONS, Rejection
from streams.wire.validator import Validator
from tests.streams.wire.test_validation import GOOD_AT_THE_EDGE
from tests.support.bad_lines import AT_SETTLING, BAD_LINES, OF_THE_REGISTER
from tests.support.lines import ABSENT, CANARY, REPORTS, changed
from tests.support.plain_checker import is_allowed

RULES = load_rule_set()
REAL = Validator(RULES, demo=False)
DEMO = Validator(RULES, demo=True)
SETTLE = Validator(RULES, demo=True, markers=True)


STRANGE_VALUES: list[Any] = [
    *(
        None,
        True,
        False,
        0,
        1,
        -1,
        1.0,
        0.1,
        1e300,
        "",
        " ",
        "1",
        "\0",
        "å",
        "\ud800",
        "\u202e",
        [],
        {},
        [1],
        {"a": 1},
    ),
    *(
        2**31,
        2**53 + 1,
        2**63 - 1,
        2**63,
        -(2**63),
        -(2**63) - 1,
        10**9,
        10**9 + 1,
        -(10**9),
        10**400,
    ),
    *(
        "2024-02-30",
        "2024-02-29",
        "2023-02-29",
        "2013-12-31",
        "2014-01-01",
        "2099-12-31",
        "2100-01-01",
        "2024-W09-4",
    ),
    *(
        "0101801234",
        "6101801234",
        "2902004234",
        "2902001234",
        "730",
        "751",
        "000",
        "FB",
        "ADP",
        "SU",
        "KTH",
        "MBT",
        "KTH25",
        "KNY",
    ),
    *(
        "2024-03-01T10:00:00Z",
        "2024-03-01T10:00:00+00:00",
        "2024-03-01t10:00:00z",
        "2016-12-31T23:59:60Z",
        "12345678",
    ),
    *("wage", "death", "dfdg", "income", "reversal", "case_fact", "benefit_payment", "run"),
]
STRANGE_BYTES = [
    b"\xef\xbb\xbf",
    b"\xff",
    b"\xed\xa0\x80",
    b"NaN",
    b"-",
    b"\\ud800",
    b'"',
    b"\\",
    b"{",
    b"[",
    b"\0",
    b",",
    b"0",
]


def _flip(chance: random.Random, line: bytes) -> bytes:
    at = chance.randrange(len(line))
    return line[:at] + bytes([line[at] ^ 1 << chance.randrange(8)]) + line[at + 1 :]


def _insert(chance: random.Random, line: bytes) -> bytes:
    at = chance.randrange(len(line) + 1)
    return line[:at] + chance.choice(STRANGE_BYTES) + line[at:]


def _cut(chance: random.Random, line: bytes) -> bytes:
    start, end = sorted(chance.sample(range(len(line) + 1), 2))
    return line[:start] + line[end:] if chance.random() < 0.5 else line[:end]


def _change_digit(chance: random.Random, line: bytes) -> bytes:
    at = chance.choice([at for at, byte in enumerate(line) if chr(byte).isdigit()])
    return line[:at] + str(chance.randrange(10)).encode() + line[at + 1 :]


def _key_twice(chance: random.Random, line: bytes) -> bytes:
    record = json.loads(line)
    name = chance.choice(list(record))
    member = f"{json.dumps(name)}: {json.dumps(chance.choice([record[name], *STRANGE_VALUES]))}"
    return line[:-1] + b", " + member.encode() + b"}"


def _drop_key(chance: random.Random, line: bytes) -> bytes:
    return changed(json.loads(line), **{chance.choice(list(json.loads(line))): ABSENT})


def _other_value(chance: random.Random, line: bytes) -> bytes:
    record = json.loads(line)
    record[chance.choice([*record, "more"])] = chance.choice(STRANGE_VALUES)
    return json.dumps(record).encode()


def _shuffle(chance: random.Random, line: bytes) -> bytes:
    members = list(json.loads(line).items())
    chance.shuffle(members)
    return json.dumps(dict(members)).encode()


KEEP_JSON = [_other_value, _other_value, _drop_key, _shuffle, _change_digit]
BREAK_JSON = [_flip, _insert, _cut, _key_twice]


def mutations(count: int, seed: int) -> Iterator[bytes]:
    """Good lines of all types, spoiled once to three times; the last time perhaps beyond JSON."""
    chance = random.Random(seed)
    for _ in range(count):
        line = json.dumps(chance.choice(REPORTS)).encode()
        for _ in range(chance.choice([0, 1, 1, 2])):
            try:
                line = chance.choice(KEEP_JSON)(chance, line)
            except ValueError:  # a digit was changed to a leading zero
                break
        try:
            yield chance.choice(BREAK_JSON + KEEP_JSON)(chance, line)
        except ValueError:
            yield line


@pytest.fixture(scope="module")
def mutated() -> list[bytes]:
    return list(mutations(10_000, seed=1987))


def test_ten_thousand_mutations_are_judged_as_the_plain_checker_does(mutated):
    for line in mutated:
        for validator, demo in ((REAL, False), (DEMO, True)):
            assert isinstance(validator.parse(line), Accepted) == is_allowed(
                line, RULES, demo=demo
            ), line


def test_the_mutations_reach_every_reason_and_every_type(mutated):
    outcomes = [REAL.parse(line) for line in mutated]
    reasons = Counter(outcome.reason for outcome in outcomes if isinstance(outcome, Rejection))
    types = Counter(type(outcome.report) for outcome in outcomes if isinstance(outcome, Accepted))
    assert set(reasons) >= set(REASONS) - {"too_large"} - AT_SETTLING - OF_THE_REGISTER
    assert all(types[kind] > 50 for kind in (Payment, Income, CaseFact, Reversal))


def test_the_quick_way_and_the_diagnosis_give_what_the_diagnosis_gives_alone(mutated):
    for line in [
        *mutated,
        *(row[1] for row in BAD_LINES if row[2] != "too_large"),
        *(row[1] for row in GOOD_AT_THE_EDGE),
    ]:
        assert SETTLE.diagnose(line) == SETTLE.parse(line), line


def test_random_bytes_are_never_accepted_and_never_crash():
    chance = random.Random(7)
    for _ in range(2_000):
        outcome = REAL.parse(chance.randbytes(chance.randrange(200)))
        assert isinstance(outcome, Rejection)
        assert outcome.reason == "not_json"


def test_a_rejected_mutation_never_repeats_the_cpr(mutated):
    assert all(
        CANARY not in repr(outcome)
        for outcome in map(REAL.parse, mutated)
        if isinstance(outcome, Rejection)
    )
