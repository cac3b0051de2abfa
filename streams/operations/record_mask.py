"""Masks a refused record for people who need not know whom it is about.

What is shown is what the contract knows, in the form that it has there: codes, dates, amounts. Any
other text may be a name, an address or a CPR number in some spelling, and is masked: the values of
unknown fields whole, ids and unreadable records word by word.
"""

import re
from collections.abc import Iterator
from itertools import chain
from typing import Any, Final, get_args
from unicodedata import normalize

import orjson

from streams.privacy.cpr import MASK, without_birthdays, without_cpr
from streams.wire import shapes

CPR: Final = "cpr"
IDS: Final = frozenset({"report_id", "reverses", "group", "reverses_group", "id"})
KNOWN: Final = frozenset(shapes.FIELD_ORDER) | IDS | {"cpr_sealed", "rules", "digest", "run"}
"""Fields of the contract."""
SMALL: Final = 100_000
"""A number in an unknown field that is shown: six digits may be a birthday."""
HIDDEN: Final = "***"
"""Put for a word."""

_CODES: Final = frozenset(
    chain(*map(get_args, (shapes.Channel, shapes.IncomeKind, shapes.Fact)), shapes.REPORT_TYPES)
)
_FIELD_NAME: Final = re.compile(r"[a-z][a-z_]{0,29}")
_DAY_OR_TIME: Final = r"[0-9]{4}-[0-9]{2}(-[0-9]{2}(T[0-9:.]{8,15}(Z|[+-][0-9]{2}:[0-9]{2}))?)?"
_FORMS: Final = {
    "reporter": re.compile("[0-9]{8}"),
    "benefit": re.compile("[A-Z]{2,4}(-[A-Z0-9]{1,4})?"),
    "paying_municipality": re.compile("[0-9]{3}"),
    "financing_municipality": re.compile("[0-9]{3}"),
}
_OTHER_FORM: Final = re.compile(_DAY_OR_TIME)
_WORD: Final = re.compile(r"[^\W\d_]{4,}")
_SHORT_WORD: Final = re.compile(r"[^\W\d_][\w]*[^\W\d_]|\d{6,}")
_ESCAPED: Final = re.compile(r"\\u[0-9A-Fa-f]{4}")
_CPR_FIELD: Final = re.compile(r'("cpr"\s*:\s*)("[^"]*"?|[^,}\s]+)')


def masked(record: bytes) -> str:
    """Return a record as text in which nothing is left that may tell whom it is about."""
    try:
        return orjson.dumps(_value("", orjson.loads(record))).decode()
    except ValueError:
        return _unreadable(record)


def _value(name: str, value: Any) -> Any:
    """Mask the value of a field, or of an entry of it."""
    match value:
        case dict():
            return dict(_fields(value))
        case list():
            return [_value(name, entry) for entry in value]
        case _ if name == CPR:
            return MASK
        case str() if name in IDS:
            return _id(value)
        case str():
            return value if name in KNOWN and _is_code(name, value) else MASK
        case bool() | None:
            return value
        case _ if name in KNOWN and name.endswith("_ore"):
            return value
        case _:
            return value if abs(value) < SMALL else MASK


def _fields(record: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the fields of an object; names that are none, and may be personal, are numbered."""
    masks = 0
    for name, value in record.items():
        if _FIELD_NAME.fullmatch(name):
            yield name, _value(name, value)
            continue
        masks += 1
        yield MASK + (f" {masks}" if masks > 1 else ""), _value("", value)


def _is_code(name: str, text: str) -> bool:
    """Tell whether a text has the form that it has in this field."""
    return text in _CODES or _FORMS.get(name, _OTHER_FORM).fullmatch(text) is not None


def _id(text: str) -> str:
    """Mask the words of an id; its digits and short parts tell records from each other."""
    return _WORD.sub(HIDDEN, without_birthdays(normalize("NFKC", text)))


def _unreadable(record: bytes) -> str:
    """Mask a record that is no JSON: escapes, the field `cpr`, and all words but field names."""
    text = normalize("NFKC", _ESCAPED.sub("?", record.decode(errors="replace")))
    text = without_cpr(_CPR_FIELD.sub(rf'\1"{MASK}"', text))
    return _SHORT_WORD.sub(lambda match: _word(match, len(text)), text)


def _word(match: "re.Match[str]", length: int) -> str:
    """Show a field's name or a code, also where the record was cut within it."""
    word = match[0]
    if word in KNOWN or word in _CODES:
        return word
    is_cut = match.end() == length and any(name.startswith(word) for name in KNOWN)
    return word if is_cut else HIDDEN
