"""An id that a false report has taken is freed, and the true report counts under it."""

import io
import json
import random
from typing import Any

import orjson
import pytest

from domain.citizen.reports import Freeing, Scope
from domain.oracle import reference
from projections.whatif.replay import Difference, replay_citizen
from streams.citizens.refold import postings_again
from streams.citizens.rule_sets import LawBook
from streams.offline.settle import settle
from streams.settings import Settings
from streams.wire.journal import JournalEntry, decode, encode, encode_freeing
from tests.support import product
from tests.support.lives import RULES, THEMES, life
from tests.support.product import true_now

CPR = "6101000000"
CITIZEN = product.IDENTITY.of(CPR)[0]
AT = "2024-02-01T08:00:00Z"
COMMON = {"schema": 1, "cpr": CPR, "reporter": "12345678", "reported_at": AT}
KTH = {
    "type": "benefit_payment", "benefit": "KTH", "period_start": "2024-01-01",
    "period_end": "2024-01-31", "paying_municipality": "730", "channel": "eindkomst",
}  # fmt: skip
FALSE = COMMON | KTH | {"report_id": "P1", "amount_ore": 1}
TRUE = FALSE | {"amount_ore": 1_000_000}
REVERSAL = COMMON | {"type": "reversal", "report_id": "R1", "reverses": "P1"}


def freed(report_id="P1", reporter="12345678", citizen=CITIZEN):
    return {
        "schema": 1, "type": "free", "id": "f", "citizen": citizen, "reporter": reporter,
        "report_id": report_id, "reason": "", "written_at": AT,
    }  # fmt: skip


def entry(report: Any) -> JournalEntry:
    if report["type"] == "free":
        return decode(None, orjson.dumps(report))
    record: Any = product.record_of(report)
    citizen, sealed, accepted = record
    return JournalEntry(citizen, sealed, accepted, report["reported_at"])


def messages_of(reports):
    return postings_again(map(entry, reports), LawBook())


def rows_of(reports):
    """The rows that stand, each checked against the sum of its cell."""
    return true_now(product.standing_rows([orjson.loads(text) for text in messages_of(reports)]))


def true_rows(reports):
    """The rows that the reference computes from the reports as the journal has them."""
    return true_now(reference.settle(map(in_the_journal, reports), RULES).rows)


def in_the_journal(report):
    if report["type"] == "free":
        return report
    accepted: Any = entry(report).report
    return orjson.loads(encode(accepted, "sealed", report["reported_at"]))


def paid_ore(*reports):
    assert rows_of(reports) == true_rows(reports)
    return sum(row["amount_ore"] for row in rows_of(reports))


def test_the_true_report_counts_after_its_id_was_freed_and_the_false_one_does_not():
    assert paid_ore(FALSE, TRUE) == 1
    assert paid_ore(FALSE, REVERSAL, TRUE) == 0
    assert paid_ore(FALSE, freed()) == 0
    assert paid_ore(FALSE, freed(), TRUE) == 1_000_000
    assert paid_ore(FALSE, REVERSAL, freed(), TRUE) == 1_000_000


def test_a_reversal_in_advance_holds_no_more_after_the_id_was_freed():
    assert paid_ore(REVERSAL, TRUE) == 0
    assert paid_ore(REVERSAL, freed(), TRUE) == 1_000_000
    assert paid_ore(REVERSAL, freed(), TRUE, REVERSAL) == 1_000_000, "it came before"
    assert paid_ore(REVERSAL, freed(), TRUE, REVERSAL | {"report_id": "R2"}) == 0


def test_the_false_report_is_not_believed_when_it_comes_again():
    assert paid_ore(FALSE, freed(), FALSE) == 0
    assert paid_ore(FALSE, freed(), FALSE, TRUE, FALSE) == 1_000_000
    assert paid_ore(FALSE, freed(), TRUE, freed(), TRUE) == 0
    assert paid_ore(FALSE, freed(), TRUE, freed(), FALSE) == 1, "the last one freed is another"


def test_an_id_that_nobody_has_or_that_a_reversal_has_stays_as_it_is():
    assert paid_ore(freed(), TRUE) == 1_000_000
    assert paid_ore(TRUE, freed("P2"), freed(reporter="87654321")) == 1_000_000
    assert paid_ore(TRUE, REVERSAL, freed("R1")) == 0
    of_another = [orjson.loads(text) for text in messages_of([TRUE, freed(citizen="f" * 32)])]
    assert len(of_another) == 1


def test_a_freed_fact_and_a_freed_income_count_no_more():
    fact = {"type": "case_fact", "report_id": "P1", "fact": "flex_referral", "date": "2012-12-31"}
    flex = TRUE | {"benefit": "FLT", "report_id": "P2"}
    old_case = paid_rates(COMMON | fact, flex)
    assert paid_rates(COMMON | fact, freed(), flex) == paid_rates(flex) != old_case


def paid_rates(*reports):
    return [(row["week"], row["rate"]) for row in rows_of(reports)]


@pytest.mark.parametrize("theme", THEMES)
def test_the_fold_and_the_replay_are_the_reference_computation_wherever_ids_are_freed(theme):
    number_freed = 0
    for seed in range(6100, 6108):
        rng = random.Random(seed)
        reports = life(theme, seed)
        if not reports:
            continue
        citizen = product.IDENTITY.of(reports[0]["cpr"])[0]
        for report in rng.sample(reports, min(4, len(reports))):
            named = report.get("reverses", report["report_id"])
            free = freed(named, report["reporter"], citizen)
            reports.insert(rng.randint(0, len(reports)), free)
            if rng.random() < 0.5 and report["type"] == "benefit_payment":
                again = report | {"amount_ore": report["amount_ore"] + 700}
                reports.insert(rng.randint(0, len(reports)), again)
            number_freed += 1
        assert rows_of(reports) == true_rows(reports), seed
        found = Difference()
        history: list[Any] = [entry(report).report for report in reports]
        replay_citizen(product.law(), citizen, history, messages_of(reports), Scope(), found)
        assert (found.messages, found.money) == (0, {}), seed
    assert number_freed > 20


def test_settle_reads_the_record_whatever_the_number_of_processes():
    other = TRUE | {"cpr": "6101000001"}
    lines = [orjson.dumps(line) for line in (FALSE, other, TRUE, demo_freed(), TRUE)]

    def settled(jobs):
        postings, rejects = io.BytesIO(), io.BytesIO()
        settle(lines, DEMO, jobs, postings, rejects)
        return postings.getvalue(), rejects.getvalue()

    postings, rejects = settled(1)
    assert settled(2) == (postings, rejects)
    assert [json.loads(line)["line"] for line in rejects.splitlines()] == [3]
    causes = [json.loads(line)["cause"] for line in postings.splitlines()]
    assert causes == ["12345678/P1", "12345678/P1", "free/f", "12345678/P1"]


DEMO = Settings.load({"REFUSION_DEMO": "1"})


def demo_freed():
    return freed(citizen=DEMO.identity().of(CPR)[0])


def test_the_record_is_written_as_it_is_read():
    freeing = Freeing("f", CITIZEN, "12345678", "P1")
    assert decode(None, encode_freeing(freeing, "why", AT)) == JournalEntry("", "", freeing, AT)


def test_freeing_an_id_leaves_the_waiting_of_a_group_of_the_same_name():
    early = COMMON | {"schema": 2, "reported_at": "2024-01-01T08:00:00Z", "type": "reversal"}
    of_id = early | {"report_id": "R1", "reverses": "P1"}
    of_group = early | {"report_id": "R2", "reverses_group": "P1"}
    late = TRUE | {"report_id": "P7", "reported_at": "2024-06-01T08:00:00Z"}
    notices = io.BytesIO()
    lines = [json.dumps(each).encode() for each in (of_id, of_group, demo_freed(), late)]
    settle(lines, DEMO, 1, io.BytesIO(), notices=notices)
    (notice,) = [json.loads(line) for line in notices.getvalue().splitlines()]
    assert notice["detail"]["reversals"] == ["12345678/R2"]
