"""Raw records and control records, spoiled: judged as a plain checker judges them."""

import json
from types import SimpleNamespace
from typing import Any, Final

from streams.citizens.rule_sets import LawBook
from streams.stages.intake import Intake, IntakeTopics
from streams.wire.outcomes import Accepted
from streams.wire.rejections import REASONS, Rejection
from streams.wire.validator import Validator
from tests.fuzz.kinds import Case, SpoiledJson, tells_a_number_of
from tests.fuzz.plain_controls import is_control
from tests.streams.wire.test_readers import OPENING as STORED_OPENING
from tests.support.lines import RECALCULATE, REPORTS, RULES, RUN, payment
from tests.support.plain_checker import is_allowed
from tests.support.product import IDENTITY

CATALOGUE: Final = LawBook().catalogue()
TOPICS: Final = IntakeTopics("reports.raw", "reports", "dead-letters", 3)
AT: Final = "2024-03-01T10:00:00Z"
FREE: Final = {
    "schema": 1, "type": "free", "id": "free-1", "citizen": "0f" * 16, "reporter": "12345678",
    "report_id": "r-1", "reason": "the same id for another payment", "written_at": AT,
}  # fmt: skip
KEYS: Final = {
    "schema": 1, "type": "keys", "id": "keys-1", "pseudonym_key": "p01234567",
    "seal_keys": ["k01234567"], "journal_keys": [*IDENTITY.macs.key_ids], "demo": False,
    "written_at": AT,
}  # fmt: skip
OPENING: Final = {
    **{name: value for name, value in STORED_OPENING.items() if name != "cpr_sealed"},
    "cpr": "6101801234",
}
CONTROLS: Final = (RUN, RULES, RECALCULATE, FREE, KEYS, OPENING)


def _lines(records: tuple[dict[str, Any], ...]) -> dict[str, bytes]:
    return {record["type"]: json.dumps(record).encode() for record in records}


class RawRecords(SpoiledJson):
    """Records of `reports.raw`: validator, and intake with two good neighbours."""

    name = "raw"

    def __init__(self) -> None:
        self.samples = _lines(REPORTS)
        self._validators = {demo: Validator(CATALOGUE, demo) for demo in (False, True)}
        kafka: Any = None
        self._work = Intake(TOPICS, self._validators[False], IDENTITY, kafka).work(0)
        self._before, self._after = (
            SimpleNamespace(key=None, value=payment(report_id=name), headers=[], offset=at)
            for at, name in ((0, "before"), (2, "after"))
        )
        self._alone = self._taken_in([self._before, self._after])

    def check(self, case: Case) -> bool:
        line = case.content
        for demo, validator in self._validators.items():
            outcome = validator.parse(line)
            assert isinstance(outcome, Accepted) == is_allowed(line, CATALOGUE, demo=demo), outcome
            if isinstance(outcome, Rejection):
                assert outcome.reason in REASONS
                assert not tells_a_number_of(line, repr(outcome))
        spoiled = SimpleNamespace(key=line[:40], value=line, headers=[("x", None)], offset=1)
        together = self._taken_in([self._before, spoiled, self._after])
        assert [message for message in together if message[0] != b"reports.raw/0/1"] == self._alone
        assert len(together) == len(self._alone) + 1
        return isinstance(self._validators[False].parse(line), Accepted)

    def _taken_in(self, records: list[Any]) -> list[tuple[Any, ...]]:
        """Messages in their order by the place that they come from, with that place first."""
        processed = self._work.process(records, len(records))
        assert processed.done == len(records)
        found = []
        for output in processed.outputs:
            for key, value, headers in output.messages:
                told = dict(headers)
                place = told.get("raw") or b"%b/%b/%b" % (
                    told["topic"], told["partition"], told["offset"],
                )  # fmt: skip
                assert told.get("reason") != b"internal_error"
                found.append((place, output.topic, output.partition, key, value, headers))
        return sorted(found, key=lambda message: message[0])


class ControlRecords(SpoiledJson):
    """Control records and opening rows as `settle` and `opening load` take them."""

    name = "control"

    def __init__(self) -> None:
        self.samples = _lines(CONTROLS)
        self._validator = Validator(CATALOGUE, demo=True, markers=True)

    def check(self, case: Case) -> bool:
        line = case.content
        outcome = self._validator.parse(line)
        is_rejected = isinstance(outcome, Rejection)
        allowed = is_control(line, CATALOGUE) or is_allowed(line, CATALOGUE, demo=True)
        assert is_rejected != allowed, outcome
        if is_rejected:
            assert not tells_a_number_of(line, repr(outcome))
        return not is_rejected
