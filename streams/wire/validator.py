"""Turns the bytes of a record into a report of the domain, or into a rejection.

Source: contract section 2. A record is read in one of two ways:

    quick way    accepts nearly every report that is valid, in 3 µs: `streams.wire.quick_way`
    diagnosis    finds the first of the contract's reasons, or none: `streams.wire.diagnosis`

Both ways accept the same reports with the same values; tests compare them over mutated lines.
"""

from copy import copy

from domain.ruledata.ruleset import RuleSet
from streams.wire.content import Content
from streams.wire.control_records import ControlRecords
from streams.wire.diagnosis import Diagnosis
from streams.wire.json_edge import MAX_BYTES, decode_object
from streams.wire.outcomes import Outcome
from streams.wire.quick_way import QuickWay
from streams.wire.rejections import TOO_LARGE, Rejection
from streams.wire.reporters import ReporterRegister


class Validator:
    """A validator turns records into reports or rejections, by one rule set.

    `demo` accepts CPR numbers with 60 added to the day, which are fictive or replacement numbers;
    with `only_fictive`, which demo keys demand, no others are accepted. `markers` accepts control
    records and opening rows. With a register reporters are checked too.
    """

    def __init__(
        self,
        rules: RuleSet,
        demo: bool,
        markers: bool = False,
        register: ReporterRegister | None = None,
        only_fictive: bool = False,
    ) -> None:
        content = Content(rules, demo, only_fictive)
        others = ControlRecords(rules, content).checks() if markers else {}
        self.accept_quickly = QuickWay(content).accept
        self.diagnose = Diagnosis(content, others).diagnose
        self._register = register
        self.source: str | None = None

    def of_source(self, source: str | None) -> "Validator":
        """Return this validator for the records of a source's raw topic.

        The register holds the source against each reporter; None is for records of no topic.
        """
        validator = copy(self)
        validator.source = source
        return validator

    def parse(self, record: bytes) -> Outcome:
        """Return what a record holds, or why it is rejected; never raises.

        `record` is the record without its line end, whatever bytes it has.
        """
        if len(record) > MAX_BYTES:
            return TOO_LARGE
        try:
            outcome: Outcome = self.accept_quickly(record)
        except (ValueError, RecursionError):
            outcome = self.diagnose(record)
        if self._register is None:
            return outcome
        return self._register.checked(outcome, record, self.source)

    def known_reporter(self, record: bytes) -> str:
        """Return who says to have sent a record that was refused; "" where the register has nobody.

        Anybody may write any number, so only those of the register become labels of metrics.
        """
        if self._register is None:
            return ""
        fields = decode_object(record)
        reporter = "" if isinstance(fields, Rejection) else fields.get("reporter", "")
        return reporter if isinstance(reporter, str) and self._register.knows(reporter) else ""
