"""Spoils bytes, JSON and YAML, from a seed: byte by byte, and by fields and values."""

import json
import random
from collections.abc import Callable, Sequence
from datetime import date
from typing import Any, Final

import yaml

Mutator = Callable[[random.Random, bytes, Sequence[bytes]], bytes]
"""Spoils bytes; the last argument are other samples, of which parts may be taken."""

STRANGE_BYTES: Final = [
    b"\xef\xbb\xbf", b"\xff", b"\xfe\xff", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc0\x80",
    b"NaN",
    b"-", b"\\ud800", b"\\u0000", b'"', b"'", b"\\", b"{", b"}", b"[", b"]", b"\0", b",", b":",
    b";",
    b"0", b"\n", b"\r\n", b"\r", b"\t", b"\x1b", b"\x85", b"\xe2\x80\xa8", b"\xe2\x80\xae", b"&a ",
    b"*a", b"!!python/object:os.system ", b"<<: ", b"---\n", b"...\n", b"? ", b"| ", b"> ", b"%",
    b"#", b"@", b"`", b"1e999", b"-0", b"0x1F", b"0o17", b"1_000", b"12:30:45", b"~", b"null",
    b"\x1f\x8b", b"PK\x03\x04", b"9" * 400, b"[" * 300, b"{\"a\":" * 200, b"- " * 300,
    b"[" * 20_000, b"? " * 2_000, b"9" * 5_000, b"0b_", b"0x_", b"!!bool x", b"!!int x",
    b"!!float x",
    b"!!timestamp x", b"!!binary x", b"!!set x", b"!!omap [1]", b"!x y", b"6101801234",
    b"2024-02-30",
    b"99999-01-01", b"2024-01-01T99:99:99Z", b".inf", b".nan", b"1:99:99",
]  # fmt: skip
STRANGE_VALUES: Final[list[Any]] = [
    None, True, False, 0, 1, -1, 1.0, 0.1, -0.0, 1e300, float("nan"), float("inf"), 2**31,
    2**53 + 1,
    2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 2**64, 10**9, 10**9 + 1, 10**30, 10**400, "", " ",
    "1",
    "\0", "å", "\ud800", "\u202e", "\n", "x" * 101, "x" * 70_000, [], {}, [1], [[]], [None],
    {"a": 1}, {"": ""}, "2024-02-30", "2024-02-29", "2023-02-29", "2013-12-31", "2014-01-01",
    "2099-12-31", "2100-01-01", "0000-01-01", "9999-12-31", "10000-01-01", "2024-13", "2024-00",
    "0000-01", "9999-12", "2024-01", "2024-W09-4", "2024-01-01", "2024-01-02", "6101801234",
    "6101901357", "0101801234", "730", "751", "000", "FB", "ADP", "SU", "KTH", "MBT", "R-1", "R-2",
    "R-9", "../R-1", "all", "refusion", "medfinansiering", "2024-03-01T10:00:00Z",
    "2024-03-01t10:00:00z", "2016-12-31T23:59:60Z", "9999-12-31T23:59:59Z", "12345678", "wage",
    "death", "dfdg", "income", "reversal", "case_fact", "benefit_payment", "run", "rules", "keys",
    "free", "recalculate", "opening", "0f" * 16, "0f" * 12, "k00000000.x", "p00000000", "yes",
    "٣٤٥", "１２３",
]  # fmt: skip


# --- bytes ----------------------------------------------------------------------------------------


def _flip(chance: random.Random, whole: bytes, _others: Sequence[bytes]) -> bytes:
    at = chance.randrange(len(whole))
    return whole[:at] + bytes([whole[at] ^ 1 << chance.randrange(8)]) + whole[at + 1 :]


def _insert(chance: random.Random, whole: bytes, _others: Sequence[bytes]) -> bytes:
    at = chance.randrange(len(whole) + 1)
    return whole[:at] + chance.choice(STRANGE_BYTES) + whole[at:]


def _replace(chance: random.Random, whole: bytes, _others: Sequence[bytes]) -> bytes:
    start, end = _span(chance, whole)
    return whole[:start] + chance.randbytes(end - start) + whole[end:]


def _cut(chance: random.Random, whole: bytes, _others: Sequence[bytes]) -> bytes:
    start, end = _span(chance, whole)
    return whole[:start] + whole[end:] if chance.random() < 0.7 else whole[:end]


def _twice(chance: random.Random, whole: bytes, _others: Sequence[bytes]) -> bytes:
    start, end = _span(chance, whole)
    return whole[:end] + whole[start:]


def _digit(chance: random.Random, whole: bytes, _others: Sequence[bytes]) -> bytes:
    places = [at for at, byte in enumerate(whole) if 48 <= byte <= 57]
    if not places:
        return whole[1:]
    at = chance.choice(places)
    return whole[:at] + b"%d" % chance.randrange(10) + whole[at + 1 :]


def _splice(chance: random.Random, whole: bytes, others: Sequence[bytes]) -> bytes:
    other = chance.choice(others)
    return whole[: _span(chance, whole)[0]] + other[_span(chance, other)[0] :]


def _span(chance: random.Random, whole: bytes) -> tuple[int, int]:
    start = chance.randrange(len(whole) + 1)
    return start, min(len(whole), start + int(chance.expovariate(1 / 12)) + 1)


_OF_BYTES: Final[list[Mutator]] = [_flip, _flip, _insert, _replace, _cut, _twice, _digit, _splice]


def spoil_bytes(chance: random.Random, whole: bytes, others: Sequence[bytes]) -> bytes:
    """Spoil bytes once to three times."""
    for _ in range(chance.choice([1, 1, 1, 2, 3])):
        whole = chance.choice(_OF_BYTES)(chance, whole or b"0", others)
    return whole


# --- documents ------------------------------------------------------------------------------------


def _places(value: Any) -> list[tuple[Any, Any]]:
    """List every container of a document with each of its keys or positions."""
    found: list[tuple[Any, Any]] = []
    stack = [value]
    while stack:
        container = stack.pop()
        keys = list(container) if isinstance(container, dict) else range(len(container))
        for key in keys:
            found.append((container, key))
            if isinstance(container[key], dict | list):
                stack.append(container[key])
    return found


def spoil_document(chance: random.Random, document: Any, others: Sequence[Any]) -> Any:
    """Spoil a parsed document in one place; it is changed, and returned.

    A value becomes another one (a strange one, one of another place, its neighbour of a number or
    a day), or is left out, doubled, renamed or wrapped.
    """
    places = _places(document)
    if not places:
        return _strange(chance)
    container, key = chance.choice(places)
    match chance.randrange(8):
        case 0 | 1:
            container[key] = _strange(chance)
        case 2:
            container[key] = _near(chance, container[key])
        case 3:
            del container[key]
        case 4:
            foreign = _places(chance.choice(others))
            taken, at = chance.choice(foreign) if foreign else (container, key)
            container[key] = _copied(taken[at])
        case 5:
            taken, at = chance.choice(places)
            container[key], taken[at] = _copied(taken[at]), _copied(container[key])
        case 6:
            if isinstance(container, dict):
                container[chance.choice(["more", "", "a:b", *map(str, container)])] = container[key]
            else:
                container.insert(key, _copied(container[key]))
        case _:
            container[key] = chance.choice([[container[key]], {"a": container[key]}])
    return document


def _copied(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copied(inner) for key, inner in value.items()}
    return [_copied(inner) for inner in value] if isinstance(value, list) else value


def _near(chance: random.Random, value: Any) -> Any:
    """Return a value like this one, but another."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return chance.choice([value + 1, value - 1, -value, value * 10, str(value % 10**9), 0.5])
    if isinstance(value, date):
        return date.fromordinal(max(1, value.toordinal() + chance.choice([-7, -1, 1, 7, 366])))
    if isinstance(value, str) and value:
        at = chance.randrange(len(value))
        other = chance.choice("019azAZ-.:/ _\u00a0ø")
        return chance.choice(
            [value[:at] + other + value[at + 1 :], value + other, value[1:], value.upper()]
        )
    return _strange(chance)


def _strange(chance: random.Random) -> Any:
    return _copied(chance.choice(STRANGE_VALUES))


def spoil_json(chance: random.Random, whole: bytes, others: Sequence[bytes]) -> bytes:
    """Spoil JSON by its fields, once or twice; now and then its bytes after that."""
    document = json.loads(whole)
    parsed = [json.loads(other) for other in others[:8]]
    for _ in range(chance.choice([1, 1, 2])):
        document = spoil_document(chance, document, parsed)
    written = json.dumps(document, ensure_ascii=chance.random() < 0.5)
    spoiled = written.encode("utf-8", "surrogatepass")
    if chance.random() < 0.1 and written.startswith("{") and len(written) > len("{}"):
        name = chance.choice(list(json.loads(written)))
        member = f"{json.dumps(name)}:{json.dumps(chance.choice(STRANGE_VALUES))}"
        spoiled = spoiled[:-1] + b"," + member.encode() + b"}"
    return spoil_bytes(chance, spoiled, others) if chance.random() < 0.1 else spoiled


def spoil_yaml(chance: random.Random, whole: bytes, others: Sequence[bytes]) -> bytes:
    """Spoil YAML by its fields, once or twice."""
    document = yaml.load(whole, yaml.CSafeLoader)
    parsed = [yaml.load(other, yaml.CSafeLoader) for other in others[:4]]
    for _ in range(chance.choice([1, 1, 2])):
        document = spoil_document(chance, document, parsed)
    try:
        return yaml.dump(document, Dumper=yaml.CSafeDumper, allow_unicode=True).encode()
    except (yaml.YAMLError, UnicodeEncodeError):
        return json.dumps(document, default=str).encode()


def by_bytes_or(
    by_fields: Mutator, chance: random.Random, whole: bytes, others: Sequence[bytes]
) -> bytes:
    """Spoil by fields in two of three cases, by bytes in the third."""
    spoil = by_fields if chance.random() < 2 / 3 else spoil_bytes
    return spoil(chance, whole, others)
