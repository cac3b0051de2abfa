"""A ledger may rely on this, message by message (contract section 3)."""

import random
from datetime import date

import orjson
import pytest

from domain.oracle import reference
from domain.oracle.payments import days_of_slices, money_of_slices
from domain.oracle.rows import cell_order
from tests.support import product
from tests.support.lives import RULES, THEMES, life, short_life

RUN_MONTHS = [f"{year}-{month:02d}" for year in range(2020, 2034) for month in (1, 4, 12)]


def histories_of(theme):
    """Some lives of a theme, the posting messages of each, and the truth."""
    for seed in range(5000, 5025):
        reports = life(theme, seed)
        yield reports, product.settle_all(reports, batch=3).messages


@pytest.mark.parametrize("theme", THEMES)
def test_revisions_have_no_gaps_and_ids_are_unique(theme):
    for _, messages in histories_of(theme):
        assert [message["revision"] for message in messages] == list(range(1, len(messages) + 1))
        ids = [row["id"] for message in messages for row in message["rows"]]
        assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("theme", THEMES)
def test_a_reversing_row_is_the_standing_row_with_its_money_negated(theme):
    """A row is reversed with its rate, ordinal and account of then. What follows it in the same
    message differs from it in more than the ordinal, and is a correction; a row for a cell without
    a standing row is a result."""
    for reports, messages in histories_of(theme):
        standing: dict[tuple, dict] = {}
        for message in messages:
            _apply(standing, message["rows"])
        assert product.true_now(_in_order(standing.values())) == product.true_now(
            reference.settle(reports, RULES).rows
        )


def _apply(standing, rows):
    reversed_here: dict[tuple, dict] = {}
    for row in rows:
        cell = _cell(row)
        if "reverses" in row:
            old = standing.pop(cell)
            assert row == _reversal_of(old) | {"id": row["id"]}
            reversed_here[cell] = old
        else:
            assert cell not in standing
            assert row["kind"] == ("correction" if cell in reversed_here else "result")
            assert cell not in reversed_here or product.true_now([row]) != product.true_now(
                [reversed_here[cell]]
            )
            standing[cell] = row


def _reversal_of(row):
    money = {name: -row[name] for name in product.MONEY if name in row}
    return row | money | {"kind": "correction", "reverses": row["id"]}


def _cell(row):
    return tuple(row[name] for name in product.CELL)


def _in_order(rows):
    return sorted(rows, key=cell_order)


def test_a_row_is_posted_again_when_only_its_atp_changes():
    """A second line that is all ATP: 284.00 kr. less 284.00 kr. leaves the amount as it was."""
    paid = {
        "schema": 1, "type": "benefit_payment", "report_id": "P1", "reporter": "12345678",
        "cpr": "6101000000",
        "reported_at": "2024-02-01T08:00:00Z", "benefit": "ADP", "period_start": "2024-01-01",
        "period_end": "2024-01-07", "amount_ore": 460_000, "financing_municipality": "730",
        "channel": "eindkomst",
    }  # fmt: skip
    all_atp = {"report_id": "P2", "amount_ore": 28_400, "atp_ore": 28_400}
    _, message = product.settle_all([paid, paid | all_atp]).messages
    reversing, new = message["rows"]
    assert message["reason"] == "report"
    assert (reversing["amount_ore"], reversing.get("atp_ore")) == (-460_000, None)
    assert (new["amount_ore"], new["atp_ore"]) == (460_000, 28_400)


@pytest.mark.parametrize("theme", THEMES)
def test_rows_of_a_message_are_ordered_by_cell_the_reversing_row_first(theme):
    for _, messages in histories_of(theme):
        for message in messages:
            order = [(cell_order(row), "reverses" not in row) for row in message["rows"]]
            assert order == sorted(set(order)), message


@pytest.mark.parametrize("theme", THEMES)
def test_no_message_without_a_row_or_a_change_of_the_counters(theme):
    for _, messages in histories_of(theme):
        counters = product.NOTHING
        for message in messages:
            assert message["rows"] or message["counters"] != counters, message
            counters = message["counters"]


def test_a_message_says_whose_it_is_and_by_which_rules():
    for seed in range(40):
        reports = short_life(seed, citizen=seed)
        citizen, sealed = product.IDENTITY.of(reports[0]["cpr"]) if reports else ("", "")
        for message in product.settle_all(reports).messages:
            constant = {
                "schema": 1,
                "type": "postings",
                "citizen": citizen,
                "rules": "R-1",
                "cpr_sealed": sealed,
            }
            assert {name: message[name] for name in constant} == constant
            assert product.IDENTITY.unseal(citizen, sealed) == reports[0]["cpr"]


# The reason, computed from the journal and the books alone


def test_the_reason_is_the_first_of_the_contract_that_fits():
    seen: set[str] = set()
    for seed in range(200):
        rng = random.Random(seed)
        reports = _with_runs(rng, short_life(seed))
        books = product.settle_all(reports)
        expected = [_reason(reports, message) for message in books.messages]
        assert [message["reason"] for message in books.messages] == expected, reports
        seen |= set(expected)
    assert seen == {"late_report", "reversal", "adjustment", "report"}


def _with_runs(rng, reports):
    """Run markers in between, of growing months."""
    journal = list(reports)
    months = sorted(rng.sample(RUN_MONTHS, rng.randint(0, 3)))
    places = sorted(rng.randint(0, len(journal)) for _ in months)
    for moved, (month, place) in enumerate(zip(months, places, strict=True)):
        journal.insert(place + moved, _run(month))
    return journal


def _run(month):
    year, number = int(month[:4]), int(month[5:])
    run = (year - 2020) * 12 + number
    return {
        "schema": 1,
        "type": "run",
        "run": run,
        "closed_at": "2024-02-03T04:00:00Z",
        "data_month": month,
    }


def _reason(reports, message):
    at, report = next(
        (at, report) for at, report in enumerate(reports) if _cause(report) == message["cause"]
    )
    closed = [earlier["data_month"] for earlier in reports[:at] if earlier["type"] == "run"]
    if any(row["month"] <= month for row in message["rows"] for month in closed):
        return "late_report"
    if report["type"] == "reversal":
        return "reversal"
    own = _cells_with_money_of(report) if report["type"] == "benefit_payment" else set()
    months = _months_of_fleksbidrag(report)
    is_own = [
        _cell(row) in own or (row["benefit"] == "FB" and row["month"] in months)
        for row in message["rows"]
    ]
    return "adjustment" if is_own and not any(is_own) else "report"


def _months_of_fleksbidrag(report):
    """The months whose fleksbidrag is made of the report."""
    if report.get("benefit") != "FLT" and report.get("kind") not in ("wage", "flex_job_wage"):
        return set()
    start, end = (
        date.fromisoformat(report["period_start"]),
        date.fromisoformat(report["period_end"]),
    )
    return {slice_.month for slice_ in days_of_slices(start, end)}


def _cause(report):
    return None if report["type"] == "run" else f"{report['reporter']}/{report['report_id']}"


def _cells_with_money_of(payment):
    lines = money_of_slices([payment], RULES)
    return {
        (line.slice.month, line.slice.week.isoformat(), line.benefit, line.paying, line.financing)
        for line in lines
        if line.kind == "ordinary" and (line.amount_ore or line.atp_ore)
    }


def test_messages_are_json_as_its_encoder_would_write_it_whatever_the_report_id():
    """They are put together by hand for speed; the id is the only text in them that somebody
    else wrote.
    """
    for seed, report_id in enumerate(
        ('"', "\\", "\\u0041", "a/b", "æøå", "ß÷ÿ", "</script>", "'", "{}")
    ):
        reports = [
            report | {"report_id": report_id + report["report_id"]} for report in short_life(seed)
        ]
        postings = [outcome.posting for outcome in product.outcomes(reports) if outcome.posting]
        assert [orjson.dumps(orjson.loads(posting)) for posting in postings] == postings


# The same bytes


def test_the_same_journal_gives_the_same_bytes_in_batches_of_any_size():
    """Messages, notices, and the ids in them, which are digests."""
    for seed in range(60):
        reports = _with_runs(random.Random(seed), life("plan_of", seed))
        found = product.outcomes(reports)
        assert (
            found
            == product.outcomes(reports, batch=7)
            == product.outcomes(reports, batch=len(reports) + 1)
        )


def test_citizens_of_a_partition_do_not_see_each_other():
    """Reports of twelve citizens in turns give each of them the messages that they have alone;
    no id occurs twice.
    """
    lives = [short_life(seed, citizen=seed) for seed in range(12)]
    rng = random.Random(12)
    turns = [citizen for citizen, reports in enumerate(lives) for _ in reports]
    rng.shuffle(turns)
    nexts = [iter(reports) for reports in lives]
    together = product.outcomes([next(nexts[citizen]) for citizen in turns], batch=5)
    for citizen, reports in enumerate(lives):
        of_citizen = [
            outcome for whose, outcome in zip(turns, together, strict=True) if whose == citizen
        ]
        assert of_citizen == product.outcomes(reports)
    messages = [
        message for citizen_life in lives for message in product.settle_all(citizen_life).messages
    ]
    ids = [row["id"] for message in messages for row in message["rows"]]
    assert len(set(ids)) == len(ids)
