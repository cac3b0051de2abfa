"""A rule set that adds and closes benefits becomes valid in the middle of a journal (R-2)."""

import random
from typing import Any

import orjson
import pytest

from domain.citizen.reports import RulesRecord
from domain.law.staircase import Law
from domain.ruledata.changes import changed_benefits
from streams.citizens import settler
from streams.citizens.outcomes import Outcome
from streams.citizens.rule_sets import LawBook, digest_of, load_rule_set
from streams.citizens.settler import Partition
from streams.citizens.store_port import MemoryStore
from tests.properties.test_control_records import ALL, fold
from tests.support import product
from tests.support.lives import THEMES, life

LAWS = LawBook()
R1, R2 = load_rule_set("R-1"), load_rule_set("R-2")
TAKE_UP_R2 = RulesRecord("r", "R-2", digest_of(R2))
BACK_TO_R1 = RulesRecord("s", "R-1", digest_of(R1))


def payment(report_id: str, benefit: str, start: str, end: str, **others: Any) -> dict[str, Any]:
    return {
        "schema": 1, "type": "benefit_payment", "report_id": report_id, "reporter": "12345678",
        "cpr": "6107701234", "reported_at": "2027-06-01T08:00:00Z", "benefit": benefit,
        "period_start": start, "period_end": end, "amount_ore": 140_000,
        "paying_municipality": "730", "channel": "direct",
    } | others  # fmt: skip


KTH = payment("K1", "KTH", "2024-01-01", "2024-01-07")
HFP = payment("H1", "HFP", "2024-01-08", "2024-01-14")


def settled(entries: list[Any], store: MemoryStore | None = None) -> list[Outcome]:
    """Settle under R-1 until a record names another rule set, each entry a batch of its own."""
    store = MemoryStore() if store is None else store
    partition = Partition(LAWS.law("R-1"), store, laws=LAWS)
    outcomes = []
    for entry in entries:
        record = entry if isinstance(entry, RulesRecord) else product.record_of(entry)
        outcomes += partition.settle_batch([record])
        product.write(partition, store)
    return outcomes


def posted(outcome: Outcome) -> Any:
    return orjson.loads(outcome.posting or b"null")


def test_r_1_has_the_digest_that_state_of_former_versions_names():
    assert digest_of(R1) == "fb4bbf43a0427fb5441f27be0d6b3573"
    assert digest_of(R2) == "c6259bec83a97f4dee40d1d80e062d49"


def test_a_benefit_is_unknown_before_the_record_that_names_its_rule_set_and_paid_after_it():
    first, refused, record, paid = settled([KTH, HFP, TAKE_UP_R2, HFP])
    assert posted(first)["rules"] == "R-1"
    assert (refused.refused, refused.postings) == ("unknown_benefit", [])
    assert record.postings == []
    assert (posted(paid)["rules"], posted(paid)["revision"]) == ("R-2", 2)
    (row,) = posted(paid)["rows"]
    assert (row["benefit"], row["ordinal"], row["rate"]) == ("HFP", 2, 80)


def test_what_was_refused_leaves_no_trace_in_the_state():
    with_it = MemoryStore()
    without = MemoryStore()
    settled([KTH, HFP], with_it)
    settled([KTH], without)
    assert with_it == without
    nobody = MemoryStore()
    settled([HFP], nobody)
    assert nobody == {}


def test_a_report_that_was_accepted_is_a_duplicate_even_where_its_benefit_is_not_valid_any_more():
    *_, again, changed, new = settled(
        [TAKE_UP_R2, HFP, BACK_TO_R1, HFP, HFP | {"amount_ore": 1}, HFP | {"report_id": "H2"}]
    )
    assert [outcome.refused for outcome in (again, changed, new)] == [
        "",
        "conflicting_duplicate",
        "unknown_benefit",
    ]
    assert posted(again) is None


def test_a_closed_period_is_refused_when_it_is_settled():
    """A what-if set may end a benefit; intake, which knows R-1 too, lets it through."""
    law = LAWS.law("R-2")
    report = product.record_of(payment("S1", "SDR-B", "2027-01-01", "2027-01-07"))
    (outcome,) = Partition(law, MemoryStore(), laws=LAWS).settle_batch([report])
    assert not outcome.refused
    ended = dict(law.validity) | {"SDR-B": (0, 1)}
    closed = Law(R2)
    closed.validity = ended
    (outcome,) = Partition(closed, MemoryStore(), laws=LAWS).settle_batch([report])
    assert outcome.refused == "not_valid_in_period"


def test_an_addition_settles_nobody_anew_who_has_no_money_of_it(monkeypatch):
    """R-2 concerns three benefits; citizens without them go on under it as if nothing had been."""
    assert changed_benefits(R1, R2) == frozenset(("HFP", "SDR-B", "SDR-A"))
    monkeypatch.setattr(settler, "settle_anew", None)
    for theme in sorted(THEMES):
        for seed in range(8700, 8706):
            reports = life(theme, seed)
            middle = len(reports) // 2
            plain, taken_up = (
                [orjson.loads(message) for message in fold(entries, LAWS, batch=4)]
                for entries in (reports, [*reports[:middle], TAKE_UP_R2, *reports[middle:]])
            )
            early = len(fold(reports[:middle], LAWS))
            for message in plain[early:]:
                message["rules"] = "R-2"
            assert taken_up == plain


def test_whoever_has_money_of_a_changed_benefit_is_settled_anew():
    """Back under R-1 the HFP of a citizen is no money of the Act: its row goes, its week too."""
    *_, last = settled(
        [TAKE_UP_R2, HFP, BACK_TO_R1, payment("K2", "KTH", "2024-01-15", "2024-01-21")]
    )
    anew = orjson.loads(last.settled_anew or b"null")
    assert (anew["reason"], anew["cause"]) == ("rule_change", "rules/R-1")
    assert [row["benefit"] for row in anew["rows"]] == ["HFP"]
    assert [row["ordinal"] for row in posted(last)["rows"]] == [1]


def test_the_same_journal_gives_the_same_bytes_whatever_the_batches_and_the_restarts():
    for seed in range(12):
        rng = random.Random(seed)
        reports = life("plan_of", 8800 + seed)
        extra = [
            payment(f"H{at}", rng.choice(("RFY", "HFP")), f"2026-0{at}-01", f"2026-0{at}-20")
            for at in range(1, 9)
        ]
        after = [*reports, *extra]
        rng.shuffle(after)
        before = [report for report in after if report.get("benefit") != "HFP"]
        entries = [*before, TAKE_UP_R2, *after, ALL, BACK_TO_R1, *extra[:2], TAKE_UP_R2, ALL]
        states = [MemoryStore(), MemoryStore()]
        whole = fold(entries, LAWS, states[0], batch=len(entries))
        size = rng.randint(1, 7)
        assert fold(entries, LAWS, states[1], batch=size, chunk=1, restarts=True) == whole
        assert states[0] == states[1]


# Closed to new cases


CLOSED = {"RFY": "2026-06-30", "REV": "2026-06-30", "FRV": "2026-06-30", "JAF-B": "2026-12-31",
          "JAF-A": "2026-12-31"}  # fmt: skip


def noticed(*reports: dict[str, Any]) -> list[str]:
    """The report ids of the notices `closed_to_new`, in their order, under R-2."""
    books = product.settle_all(reports, settled_by=LAWS.law("R-2"))
    codes = [(notice["code"], notice["cause"].split("/")[1]) for notice in books.notices]
    return [name for code, name in codes if code == "closed_to_new"]


@pytest.mark.parametrize("benefit", CLOSED)
def test_the_last_day_of_a_new_case(benefit):
    last = CLOSED[benefit]
    next_day = {"2026-06-30": "2026-07-01", "2026-12-31": "2027-01-01"}[last]
    assert noticed(payment("P1", benefit, last, "2027-01-31")) == []
    assert noticed(payment("P1", benefit, next_day, "2027-01-31")) == ["P1"]


def test_the_notice_names_the_day_and_the_money_is_settled_all_the_same():
    books = product.settle_all(
        [payment("P1", "REV", "2026-07-06", "2026-07-12")], settled_by=LAWS.law("R-2")
    )
    (notice,) = books.notices
    assert notice["detail"]["last_new_case"] == "2026-06-30"
    assert notice["detail"]["municipalities"] == ["730"]
    assert sum(row["refusion_ore"] for row in books.rows) == 112_000
    assert (
        product.settle_all(
            [payment("P1", "REV", "2026-07-06", "2026-07-12")], settled_by=LAWS.law("R-1")
        ).notices
        == []
    )


def test_a_reversed_payment_begins_no_case_and_one_outside_the_act_does():
    early = payment("P1", "RFY", "2026-06-01", "2026-06-07")
    late = payment("P2", "RFY", "2026-07-06", "2026-07-12")
    reversal = {
        "schema": 1, "type": "reversal", "report_id": "R1", "reporter": "12345678",
        "cpr": "6107701234", "reported_at": "2026-08-01T08:00:00Z", "reverses": "P1",
    }  # fmt: skip
    assert noticed(early, late) == []
    assert noticed(early, reversal, late) == ["P2"]
    assert noticed(early | {"outside_act": True}, late) == []
    assert noticed(payment("P0", "JAF-B", "2026-06-01", "2026-06-07"), late) == ["P2"]


def test_whatever_the_order_the_first_payment_of_a_new_case_is_noticed_and_no_report_twice():
    """A notice is about what is known when it comes: in order of the periods it is the first
    alone.
    """
    noticed_at_all = 0
    for seed in range(60):
        rng = random.Random(seed)
        starts = sorted(rng.sample(range(1, 13), rng.randint(1, 6)))
        reports = [
            payment(f"P{month:02}", "RFY", f"2026-{month:02}-01", f"2026-{month:02}-20")
            for month in starts
        ]
        first = starts[0]
        expected = [f"P{first:02}"] if first > 6 else []
        assert noticed(*reports) == expected
        shuffled = reports[:]
        rng.shuffle(shuffled)
        found = noticed(*shuffled, *reports)
        assert len(found) == len(set(found)), "once per cause"
        assert set(found) >= set(expected)
        for name in found:
            at = [report["report_id"] for report in shuffled].index(name)
            came = [report["report_id"] for report in shuffled[:at]]
            assert int(name[1:]) > 6
            assert all(other > name for other in came), "an earlier period had come"
        noticed_at_all += bool(found)
    assert 10 < noticed_at_all < 60
