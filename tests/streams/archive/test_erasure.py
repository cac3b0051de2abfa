"""A list of who is to be erased is read line by line, and held against the rule of retention."""

from datetime import date

import orjson
import pytest

from domain.basics.weeks import day
from streams.acts.acts import ReasonError
from streams.archive.erasure import (
    ErasureError,
    RetentionRule,
    check_retention,
    kept_until,
    last_day_of,
    read_list,
    retention_rule,
)

ANNA, BO = "a" * 32, "b" * 32
RULE = RetentionRule(5, date(2014, 7, 1), None, "loven", "assumed")
HEAD = "citizen;reason;basis\n"


def read(tmp_path, text):
    return read_list(text.encode(), tmp_path / "erase.csv")


def test_a_list_names_citizens_with_reason_and_basis(tmp_path):
    lines = f"{ANNA};død 2010;GDPR art. 17\n\n{BO};asked for it;GDPR art. 17\n"
    assert read(tmp_path, HEAD + lines) == {
        ANNA: "død 2010; GDPR art. 17",
        BO: "asked for it; GDPR art. 17",
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "its first line must be"),
        ("a;b\n", "its first line must be"),
        (HEAD, "names nobody"),
        (f"{HEAD}0101011234;x;y\n", "line 2 is not a citizen"),
        (f"{HEAD}{ANNA};x\n", "line 2 is not a citizen"),
    ],
)
def test_a_list_that_cannot_be_read_is_told_by_line(tmp_path, text, said):
    with pytest.raises(ErasureError, match=said) as raised:
        read(tmp_path, text)
    assert "0101011234" not in str(raised.value)


@pytest.mark.parametrize("why", [";GDPR", "0101801234;GDPR", "x;"])
def test_a_reason_that_is_none_or_names_a_person_is_refused(tmp_path, why):
    with pytest.raises(ReasonError):
        read(tmp_path, f"{HEAD}{ANNA};{why}\n")


def test_a_rule_is_valid_today():
    rule = retention_rule(date(2026, 11, 27))
    assert rule.years >= 5
    assert rule.evidence in {"verified", "assumed"}
    with pytest.raises(ErasureError, match="no rule says"):
        retention_rule(date(2010, 1, 1))


@pytest.mark.parametrize("today", [date(2021, 12, 31), date(2020, 1, 1)])
def test_nobody_is_erased_before_the_records_may_go(today):
    last_days = {ANNA: day("2016-03-31"), BO: day("2010-12-31")}
    with pytest.raises(ErasureError, match=f"1 of the list .*{ANNA} until 2021-12-31"):
        check_retention(last_days, last_days, RULE, today)
    check_retention(last_days, last_days, RULE, date(2022, 1, 1))
    assert kept_until(date(2016, 1, 1), RULE) == date(2021, 12, 31)


def test_who_is_not_in_the_journal_is_named():
    with pytest.raises(ErasureError, match=f"1 of the list are not in the journal, such as {BO}"):
        check_retention([ANNA, BO], {ANNA: day("2010-01-01")}, RULE, date(2026, 1, 1))


@pytest.mark.parametrize(
    ("record", "last"),
    [
        ({"reported_at": "2016-01-05T00:00:00Z", "period_end": "2016-02-29"}, "2016-02-29"),
        ({"reported_at": "2017-01-05T00:00:00Z", "period_end": "2016-02-29"}, "2017-01-05"),
        ({"reported_at": "2016-01-05T00:00:00Z", "date": "2018-01-01"}, "2018-01-01"),
        ({"reported_at": "2016-01-05T00:00:00Z", "month": "2016-02"}, "2016-02-29"),
        ({"reported_at": "2016-01-05T00:00:00Z", "reverses": "A-1"}, "2016-01-05"),
    ],
)
def test_the_last_day_is_that_of_the_period_or_of_the_report(record, last):
    assert last_day_of(orjson.dumps(record)) == day(last)


def test_a_list_that_is_not_in_utf_8_is_told_in_a_sentence(tmp_path):
    path = tmp_path / "erase.csv"
    path.write_bytes(f"{HEAD}{ANNA};død 2010;GDPR\n".encode("cp1252"))
    with pytest.raises(ErasureError, match=r"erase\.csv is no text in UTF-8; save it as CSV UTF-8"):
        read_list(path.read_bytes(), path)
