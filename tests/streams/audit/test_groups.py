"""verify knows groups: what a reversal of a group takes back counts no more, before and after."""

from tests.support.audit_run import audit
from tests.support.lines import payment, reversal

CPR = "6101901357"


def grouped(report_id, month):
    return payment(
        cpr=CPR,
        schema=2,
        report_id=report_id,
        group="G",
        atp_ore=0,
        period_start=f"2024-{month}-01",
        period_end=f"2024-{month}-28",
    )


def test_a_journal_in_which_a_group_is_reversed_is_whole_and_true(stages):
    stages.publish([grouped("P1", "02"), grouped("P2", "03")])
    stages.settle()
    stages.publish([reversal(cpr=CPR, schema=2, report_id="R", reverses=None, reverses_group="G")])
    stages.publish([grouped("P3", "04"), payment(cpr=CPR, report_id="P4", atp_ore=0)])
    stages.settle()
    verified = audit(stages.topics, sample_percent=100, fold=True)
    assert verified.violations.named == []
    standing = sum(totals["amount_ore"] for totals in verified.partitions.values())
    assert standing == 1_500_000
