"""A clean system has no violation."""

from tests.support.audit_run import audit


def test_a_clean_system_has_no_violation_and_every_citizen_is_true(copy):
    verified = audit(copy, sample_percent=100, fold=True)
    assert verified.violations.named == []
    assert verified.deep_citizens == verified.citizens > 100
    assert verified.folded == sum(map(len, copy.of["postings"].values()))
    kinds = {row["kind"] for *_, message in copy.messages() for row in message["rows"]}
    assert kinds == {"result", "correction", "opening"}
    assert verified.raw.kept == sum(map(len, copy.of["reports.raw"].values())) > 1_000
    assert sum(totals["rows"] for totals in verified.partitions.values()) > 1_000
