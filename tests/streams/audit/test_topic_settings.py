"""verify compares the topics' settings, and says what was gone before it was read."""

from streams.kafka.topics import NOTICES, RAW, REPORTS
from tests.support.audit_run import audit


def test_a_setting_that_loses_data_is_a_violation(copy):
    copy.topic_settings[copy.name("reports")] = {**REPORTS.settings, "retention.ms": "604800000"}
    (violation,) = audit(copy).violations.named
    assert violation.code == "setting"
    assert "retention.ms=604800000 and would lose data" in violation.sentence()
    assert f"--entity-name {copy.name('reports')} --add-config retention.ms=-1" in violation.text


def test_a_raw_topic_with_times_of_others_is_a_violation(copy):
    copy.topic_settings[copy.name("reports.raw")] = {
        **RAW.settings,
        "message.timestamp.type": "CreateTime",
    }
    assert audit(copy).violations.counts == {"setting": 1}


def test_a_setting_that_takes_a_safeguard_away_is_a_note(copy):
    copy.topic_settings[copy.name("notices")] = {
        **NOTICES.settings,
        "message.timestamp.type": "CreateTime",
    }
    verified = audit(copy)
    assert verified.violations.total == 0
    (note,) = verified.violations.notes
    assert "should be mended" in note


def test_records_that_were_gone_before_intake_read_any_are_a_violation(copy):
    """Others go on from where the journal shows that intake has been."""
    at = next(partition for partition, records in copy.of["reports.raw"].items() if records)
    came_to = copy.of["reports.raw"][at][-1].offset + 1
    copy.taken_in = {}
    copy.starts["reports.raw", at] = came_to + 5
    found = [found for found in audit(copy).violations.named if "never read" in found.text]
    assert [violation.text.split()[0] for violation in found] == ["5"]
