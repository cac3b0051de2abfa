"""The stage `projections` builds the tables of LIS by itself when a run is closed."""

import json

import pytest

from projections.lis.questions import LisQuestion
from streams.citizens.rule_sets import LawBook
from streams.kit.errors import UserError
from streams.ledger.table import LedgerTable
from streams.lis.control_sums import kept_beside
from streams.lis.inquiry import ask
from streams.lis.mart_audit import unlike_the_ledger
from streams.lis.marts import open_marts
from streams.worker.app import STAGES
from tests.kafka.test_ledger import MONTH, RUN, messages_of, refusion
from tests.support import lis_reference as plain
from tests.support.lives import RULES


def built_up_to(settings):
    """The last run that the marts have; None where there are none yet."""
    try:
        with open_marts(settings.lis) as marts:
            return marts.last_run
    except UserError:
        return None


@pytest.mark.long
def test_a_closed_run_is_in_the_views_without_anybody_building(pipeline, settings, lives):
    workers = [pipeline.start(*STAGES), pipeline.start(*STAGES)]
    pipeline.publish(lives[0])
    pipeline.wait_until_settled()
    pipeline.close_run(MONTH)
    pipeline.publish(lives[1])
    pipeline.wait_until_settled(STAGES)
    pipeline.wait_until(lambda: built_up_to(settings) == RUN)
    for worker in workers:
        pipeline.stop(worker)

    partitions: list[list[dict[str, object]]] = [[] for _ in range(settings.partitions)]
    for partition, _, message in messages_of(pipeline):
        partitions[partition].append(message)
    posted = plain.Postings(partitions)
    with open_marts(settings.lis) as marts:
        question = LisQuestion("beloeb", run=RUN, based_on="settled")
        found = ask(marts, RULES, question, settings.ledger, {})
    details = {row[:5]: row[5:8] for row in found.rows if None not in row[:5]}
    assert details == plain.beloeb(posted.seen("settled", RUN))
    law_of, kept = LawBook(settings.rules).law, kept_beside(settings.ledger)
    ledger = LedgerTable.open(settings.ledger)
    assert list(unlike_the_ledger(ledger, settings.lis, law_of, kept, lambda *_: None)) == []
    done = refusion(settings, "lis", "afregning", "--run", RUN, "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert {row["run"] for row in told["rows"]} == {RUN}
