"""A refused record is shown without whatever may tell whom it is about."""

import json

import orjson
import pytest

from streams.operations.record_mask import masked
from streams.privacy.cpr import MASK
from tests.support.lines import CASE_FACT, INCOME, PAYMENT, REVERSAL, changed

CPR = "0101801234"


@pytest.mark.parametrize(
    ("record", "shown"),
    [
        (
            f'{{"cpr":"{CPR}","amount_ore":1234567890}}',
            f'{{"cpr":"{MASK}","amount_ore":1234567890}}',
        ),
        (f'{{"cpr":{CPR[1:]}5}}', f'{{"cpr":"{MASK}"}}'),
        ('{"cpr":"010180123"}', f'{{"cpr":"{MASK}"}}'),
        (
            f'{{"report_id":"a {CPR[:6]}-{CPR[6:]}","x":[3112991234]}}',
            f'{{"report_id":"a {MASK}","x":["{MASK}"]}}',
        ),
        (f'{{"{CPR}":1}}', f'{{"{MASK}":1}}'),
        (f'{{"cpr": "{CPR}", "amou', f'{{"cpr": "{MASK}", "amou'),
        (f'{{"cpr": "{CPR[:7]}', f'{{"cpr": "{MASK}"'),
        (f"{CPR}\xff", f"{MASK}\xff"),
    ],
)
def test_whatever_may_be_a_cpr_number_is_masked(record, shown):
    assert masked(record.encode()) == shown


def test_escaped_digits_are_masked_whether_the_record_can_be_read_or_not():
    escaped = "".join(f"\\u00{ord(digit):02x}" for digit in CPR)
    assert masked(f'{{"id":"{escaped}"}}'.encode()) == f'{{"id":"{MASK}"}}'
    assert masked(f'{{"id":"{escaped}'.encode()) == '{"id":"??????????'


@pytest.mark.parametrize("report", [PAYMENT, INCOME, CASE_FACT, REVERSAL])
def test_what_the_contract_knows_is_shown(report):
    assert orjson.loads(masked(changed(report))) == report | {"cpr": MASK}


SPELLINGS = ["01 01 80 1234", "010180.1234", "01/01/80-1234", "０１０１８０１２３４", "010180–1234"]


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("name", ["report_id", "benefit", "note", "period_start", "reporter"])
def test_a_cpr_number_is_masked_in_any_spelling_and_field(name, spelling):
    for record in (changed(PAYMENT, **{name: spelling}), changed(PAYMENT, **{name: spelling})[:-1]):
        shown = masked(record)
        assert "1234" not in shown.replace("12345678", "")
        assert "１" not in shown


@pytest.mark.parametrize(
    "more",
    [
        {"navn": "Anna Andersen"},
        {"name": ["Anna", {"last": "Andersen"}]},
        {"report_id": "Anna Andersen 1"},
        {"report_id": "AnnaAndersen"},
        {"channel": "Anna Andersen"},
        {"paying_municipality": "Andersen"},
        {"Anna Andersen": 1, "Andersen, Anna": True},
    ],
)
def test_names_and_free_texts_are_masked(more):
    whole = json.dumps(PAYMENT | more).encode()
    for record in (whole, whole[:-1], whole[: whole.index(b"Andersen") + 5]):
        shown = masked(record)
        assert "Ander" not in shown
        assert "Anna" not in shown


def test_a_birthday_as_a_number_of_an_unknown_field_is_masked():
    shown = orjson.loads(masked(b'{"born":10180,"day":101801,"paid_ore":12345678}'))
    assert shown == {"born": 10180, "day": MASK, "paid_ore": MASK}
