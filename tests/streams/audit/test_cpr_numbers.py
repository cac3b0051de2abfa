"""CPR numbers are found wherever none may be."""

import orjson
import pytest

from projections.audit.state_entries import check_state
from projections.audit.violations import BadRecordError
from streams.audit.partition import CPRS
from tests.support.audit_run import CITIZEN_CPR, TAKEN_OVER_CPR, audit, codes_at

HIDDEN = "0101801234"


@pytest.mark.parametrize(
    ("topic", "damage"),
    [
        pytest.param("reports", lambda r: r._replace(key=HIDDEN.encode()), id="key"),
        pytest.param(
            "reports", lambda r: r.with_header("note", f"of {HIDDEN}".encode()), id="header"
        ),
        pytest.param("reports", lambda r: r.with_value(cpr=HIDDEN), id="field"),
        pytest.param(
            "postings", lambda r: r.with_value(remark=f"see {HIDDEN[:6]}-{HIDDEN[6:]}"), id="remark"
        ),
        pytest.param(
            "postings", lambda r: r.with_header("ce_id", HIDDEN.encode()), id="posting-header"
        ),
        pytest.param(
            "postings", lambda r: r._replace(value=b"cpr" + HIDDEN.encode()), id="not-json"
        ),
        pytest.param("notices", lambda r: r.with_value(detail={"who": HIDDEN}), id="notice"),
        pytest.param(
            "dead-letters",
            lambda r: r._replace(value=f'{{"cpr":"{HIDDEN}"}}'.encode()),
            id="dead-letter",
        ),
        pytest.param(
            "dead-letters",
            lambda r: r.with_header("hint", HIDDEN.encode()),
            id="dead-letter-header",
        ),
        pytest.param("reports.raw", lambda r: r._replace(key=HIDDEN.encode()), id="raw-key"),
        pytest.param("citizens", lambda r: r._replace(key=HIDDEN.encode()), id="state-key"),
        pytest.param(
            "citizens", lambda r: r._replace(key=r.key[:33] + HIDDEN.encode()), id="state-part"
        ),
        pytest.param("citizens", lambda r: r.with_header("of", HIDDEN.encode()), id="state-header"),
    ],
)
def test_a_cpr_number_is_found(copy, topic, damage):
    at, index, record = copy.find(topic, lambda record: record.key or topic == "dead-letters")
    place = copy.replace(topic, at, index, damage(record))
    verified = audit(copy)
    assert "cpr" in codes_at(verified)[place]
    assert not any(HIDDEN in violation.text for violation in verified.violations.named)


def entries(copy, which):
    """Partition, index and record of the state's entries whose part fits."""
    for at, records in copy.of["citizens"].items():
        for index, record in enumerate(records):
            if record.value and which(record.key.partition(b"/")[2].decode()):
                yield at, index, record


def planted(copy, at, index, record, *path, text):
    """Put a text into an entry's JSON."""
    value = spot = orjson.loads(record.value)
    for step in path[:-1]:
        spot = spot[step]
    spot[path[-1]] = text
    return copy.replace("citizens", at, index, record._replace(value=orjson.dumps(value)))


@pytest.mark.parametrize("number", [HIDDEN, "6101801234", "101280-1234"])
@pytest.mark.parametrize(
    ("which", "path"),
    [
        pytest.param("head", (-1,), id="in-place-of-the-sealed-one"),
        pytest.param("head", (1,), id="a-head"),
        pytest.param("month", (1, 0, 9), id="a-line"),
        pytest.param("month", (3, 0, 1), id="a-group"),
    ],
)
def test_any_cpr_number_in_the_state_is_found(copy, which, path, number):
    fits = str.isdecimal if which == "month" else "head".__eq__
    at, index, record = next(
        (at, index, record)
        for at, index, record in entries(copy, fits)
        if which == "head" or all(orjson.loads(record.value)[1::2])
    )
    place = planted(copy, at, index, record, *path, text=number)
    verified = audit(copy)
    assert codes_at(verified) == {place: {"cpr"}}
    assert not any(number in violation.text for violation in verified.violations.named)


def test_a_citizens_own_cpr_number_in_the_state_is_found_where_others_may_be_running_numbers(copy):
    citizen = copy.settings.identity().of(CITIZEN_CPR)[0].encode()
    at, index, record = next(
        (at, index, record)
        for at, index, record in entries(copy, str.isdecimal)
        if record.key.startswith(citizen) and orjson.loads(record.value)[1]
    )
    planted(copy, at, index, record, 1, 0, 1, text=TAKEN_OVER_CPR)
    assert audit(copy).violations.named == []
    place = planted(copy, at, index, record, 1, 0, 1, text=CITIZEN_CPR)
    planted(copy, at, index, record, 1, 0, 5, text=int(CITIZEN_CPR))
    verified = audit(copy)
    assert codes_at(verified) == {place: {"cpr"}}
    assert (
        verified.violations.named[0].text
        == f"the state of citizen {citizen.decode()} holds their CPR number"
    )


def test_weeks_and_amounts_in_the_state_are_no_cpr_numbers():
    key = b"0" * 32
    head = (
        b'[2,"R-1",1,3,40,"3112801234",[],'
        b'{"KTH":"3112801234"},{"SDP-B":"1101801234"},[],null,"k00000000.x"]'
    )
    check_state(key + b"/head", head, None, CPRS)
    part = (
        b'[2,[["12345678","3112801234",3112801234]],[],'
        b'[["KTH","1",null,[[3112801234,-1101801234,0]]]]]'
    )
    check_state(key + b"/646", part, None, CPRS)
    with pytest.raises(BadRecordError, match="looks like a CPR number"):
        check_state(key + b"/head", head.replace(b"R-1", b"3112801234"), None, CPRS)


def with_id(copy, report_id):
    """Give a citizen's first report another id; no posting names that, which is found too."""
    at, index, record = copy.find(
        "reports", lambda record: record.key and b'"mine-0"' in record.value
    )
    named = record.with_value(report_id=report_id).with_header(
        "ce_id", f"12345678/{report_id}".encode()
    )
    return copy.replace("reports", at, index, named)


def test_a_citizens_own_cpr_number_in_a_report_id_is_certain(copy):
    place = with_id(copy, f"kth-{CITIZEN_CPR[:6]}-{CITIZEN_CPR[6:]}")
    assert "cpr" in codes_at(audit(copy))[place]


def test_a_running_number_that_looks_like_one_is_only_noted(copy):
    with_id(copy, "3112995678")
    verified = audit(copy)
    assert "cpr" not in verified.violations.counts
    assert verified.violations.notes == {"report ids with ten digits that could be a CPR number": 1}
