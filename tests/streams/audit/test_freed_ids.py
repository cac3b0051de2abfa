"""verify follows an id that was freed: what came before counts no more, what comes then does."""

import orjson

from streams.settings import Settings
from tests.support.audit_run import audit
from tests.support.lines import payment, reversal

CPR = "6101901357"


def free(stages, report_id):
    citizen = Settings.load({"REFUSION_DEMO": "1"}).identity().of(CPR)[0]
    record = {
        "schema": 1, "type": "free", "id": "abc", "citizen": citizen, "reporter": "12345678",
        "report_id": report_id, "reason": "a slip", "written_at": "2024-02-01T08:00:00Z",
    }  # fmt: skip
    for at in range(4):
        stages.topics.append("reports", at, None, orjson.dumps(record), [])


def test_a_journal_in_which_ids_are_freed_is_whole_and_true(stages):
    false = payment(cpr=CPR, report_id="P1", amount_ore=700, atp_ore=0)
    true = payment(cpr=CPR, report_id="P1", atp_ore=0)
    stages.publish([false, true, reversal(cpr=CPR, report_id="R", reverses="P2")])
    stages.settle()
    free(stages, "P1")
    free(stages, "P2")
    stages.publish([false, true, payment(cpr=CPR, report_id="P2", benefit="UDH", atp_ore=0)])
    stages.settle()
    verified = audit(stages.topics, sample_percent=100, fold=True)
    assert verified.violations.named == []
    assert verified.deep_citizens == 1
    messages = [message for *_, message in stages.topics.messages()]
    assert [message["cause"] for message in messages] == [
        "12345678/P1",
        "free/abc",
        "12345678/P1",
        "12345678/P2",
    ]
