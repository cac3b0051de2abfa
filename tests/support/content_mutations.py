"""Answers of eIndkomst whose content was changed, and that remain well-formed XML."""

import re

VALUES = re.compile(r">([^<>]+)<")
DATES = re.compile(r"\d{4}-\d\d-\d\d")
CODES = ("11000", "16000", "16001", "16300", "16002", "99999", "T", "I", "1", "0", "4", "6", "7")
TEXTS = (
    "", "-", "0", "-0.00", "1e5", "0.005", "99999999999999999999", "NaN", "\u0661\u0662",
    "6101901357", "0000000000", "\u00b2\u00b2\u00b2\u00b2\u00b2\u00b2\u00b2\u00b2", "x" * 200,
    "9999-12-31", "0001-01-01", "2024-02-30", "20240101/20231231", "18000101-22001231",
)  # fmt: skip
ELEMENT = re.compile(r"<(\w+)>[^<>]*</\1>")


def mutated(text, rng):
    """Change up to four places: values, dates, signs, codes, order, elements twice or missing."""
    for _ in range(rng.randint(1, 4)):
        text = rng.choice(CHANGES)(text, rng)
    return text


def _somewhere(pattern, text, rng):
    found = [*pattern.finditer(text)]
    return rng.choice(found) if found else None


def _put(text, match, new):
    return text if match is None else text[: match.start()] + new + text[match.end() :]


def value(text, rng):
    return _put(text, _somewhere(VALUES, text, rng), f">{rng.choice(TEXTS)}<")


def code(text, rng):
    return _put(text, _somewhere(VALUES, text, rng), f">{rng.choice(CODES)}<")


def digits(text, rng):
    match = _somewhere(VALUES, text, rng)
    if match is None:
        return text
    at = rng.randrange(len(match[1]))
    changed = match[1][:at] + rng.choice("0123456789-.") + match[1][at + 1 :]
    return _put(text, match, f">{changed}<")


def sign(text, rng):
    match = _somewhere(re.compile(r">(-?)(\d+\.\d\d)<"), text, rng)
    return text if match is None else _put(text, match, f">{'' if match[1] else '-'}{match[2]}<")


def date(text, rng):
    day = f"{rng.randint(1900, 2100)}-{rng.randint(0, 13):02d}-{rng.randint(0, 32):02d}"
    return _put(text, _somewhere(DATES, text, rng), day)


def twice(text, rng):
    match = _somewhere(ELEMENT, text, rng)
    return text if match is None else _put(text, match, match[0] * 2)


def missing(text, rng):
    return _put(text, _somewhere(ELEMENT, text, rng), "")


def order(text, rng):
    one, other = _somewhere(ELEMENT, text, rng), _somewhere(ELEMENT, text, rng)
    if one is None or other is None or one.start() == other.start():
        return text
    first, last = sorted((one, other), key=lambda match: match.start())
    between = text[first.end() : last.start()]
    return text[: first.start()] + last[0] + between + first[0] + text[last.end() :]


def swap(text, rng):
    one, other = _somewhere(VALUES, text, rng), _somewhere(VALUES, text, rng)
    if one is None or other is None or one.start() >= other.start():
        return text
    text = _put(text, other, f">{one[1]}<")
    return _put(text, one, f">{other[1]}<")


CHANGES = (value, code, digits, sign, date, twice, missing, order, swap)
