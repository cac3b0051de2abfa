"""The audit follows the rule sets that a journal names: R-2 adds HFP, and R-1 does not have it."""

import pytest

from streams.citizens.admission import JournalAdmission
from streams.citizens.rule_sets import LawBook
from streams.settings import Settings
from tests.support.audit_run import audit
from tests.support.lines import PAYMENT, changed
from tests.support.population import reports_of_some_lives
from tests.support.stages_in_memory import StagesInMemory

HELP = {"benefit": "HFP", "atp_ore": 0}


@pytest.fixture
def taken_up(tmp_path):
    """Topics of a run in which R-2 becomes valid; an HFP payment came before and one after."""
    settings = Settings.load(
        {
            "REFUSION_BOOTSTRAP": "no-kafka:9092",
            "REFUSION_PREFIX": "rules.",
            "REFUSION_PARTITIONS": "2",
            "REFUSION_STATE_DIR": str(tmp_path),
            "REFUSION_DEMO": "1",
            "REFUSION_DEMO_ANYWHERE": "1",
        }
    )
    stages = StagesInMemory(settings, tmp_path)
    first, second, *_ = reports_of_some_lives()
    stages.publish([*first, changed(PAYMENT, **HELP, report_id="too-early")])
    stages.settle()
    stages.take_up("R-2")
    stages.publish([*second, changed(PAYMENT, **HELP, report_id="in-time")])
    stages.settle()
    stages.take_up("R-1")
    stages.publish([changed(PAYMENT, report_id="after", period_start="2024-03-01")])
    stages.settle()
    stages.close()
    return stages.topics


def test_a_clean_system_under_several_rule_sets_has_no_violation(taken_up):
    verified = audit(taken_up, sample_percent=100, fold=True)
    assert verified.violations.named == []
    assert verified.deep_citizens == verified.citizens > 10


def test_a_refused_report_is_known_as_such_when_its_dead_letter_is_gone(taken_up):
    letters = taken_up.of["dead-letters"]
    kept = [letter for letter in letters[0] if dict(letter.headers)["reason"] != b"unknown_benefit"]
    assert len(kept) == len(letters[0]) - 1
    letters[0][:] = kept
    verified = audit(taken_up, sample_percent=100, fold=True)
    assert verified.violations.named == []


def test_a_reader_of_the_journal_knows_what_was_refused(taken_up):
    refused = []
    for records in taken_up.of["reports"].values():
        admission = JournalAdmission(LawBook())
        for record in records:
            if not record.key:
                admission.take_up("R-2" if b"R-2" in record.value else "R-1")
            elif admission.refuses(record.key, record.value):
                refused.append(record.value)
    assert [b"too-early" in value for value in refused] == [True]


def test_a_rule_set_that_is_not_known_any_more_refuses_nothing():
    admission = JournalAdmission(LawBook())
    admission.take_up("gone-9")
    assert not admission.refuses(b"c", b'{"benefit": "HFP"}')
