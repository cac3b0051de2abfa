"""Rule sets become valid, and recalculations come, in the middle of a journal."""

import random
from dataclasses import replace
from itertools import groupby

import orjson
import pytest

from domain.citizen import state
from domain.citizen.records import NewerStateError
from domain.citizen.reports import Recalculation, RulesRecord, Scope
from domain.citizen.state import Citizen
from domain.law.staircase import Law
from domain.oracle import reference
from streams.citizens import settler as citizens
from streams.citizens.outcomes import Outcome
from streams.citizens.rule_sets import LawBook
from streams.citizens.settler import Partition
from streams.citizens.store import RocksStore
from streams.citizens.store_port import MemoryStore
from streams.kit.errors import UnworkableError
from streams.stages.own_entry import OwnEntry
from tests.properties.test_rule_changes import CHANGES
from tests.support import product
from tests.support.lives import RULES, THEMES, life, short_life
from tests.support.places import FIXTURES

CHANGED = [name for name in CHANGES if name not in {"other_dates", "everything"}]
"""All but those that count from another day: their lines are not in the state."""
ALL = Recalculation("all-1", Scope())


class Laws:
    """Rule sets by name."""

    def __init__(self, *rules):
        self._laws = {each.name: Law(each) for each in (RULES, *rules)}

    def law(self, name, digest=""):
        assert not digest
        return self._laws[name]


def other_rules(change, seed, name="other"):
    return replace(CHANGES[change](random.Random(seed)), name=name)


def record_of(entry):
    return entry if isinstance(entry, tuple) else product.record_of(entry)


def fold(entries, laws, store=None, *, batch=1, chunk=1_000, restarts=False):
    """The messages; after each batch and chunk the state is written, maybe by a new process."""
    store = MemoryStore() if store is None else store
    partition = Partition(laws.law("R-1"), store, laws=laws)
    messages = []
    for is_recalculation, group in groupby(entries, lambda entry: isinstance(entry, Recalculation)):
        part = [record_of(entry) for entry in group]
        if is_recalculation:
            for record in part:
                after, is_over = "", False
                while not is_over:
                    done = partition.recalculate(record, after, chunk)
                    assert done.unsealed == done.failed == 0
                    messages += [message for _, message in done.postings]
                    after, is_over = done.after, not done.after
                    partition = _written(partition, store, laws, restarts)
            continue
        for at in range(0, len(part), batch):
            outcomes = partition.settle_batch(part[at : at + batch])
            messages += [message for outcome in outcomes for message in outcome.postings]
            partition = _written(partition, store, laws, restarts)
    return messages


def _written(partition, store, laws, restarts):
    product.write(partition, store)
    return (
        Partition(partition.law, store, partition.closed_month, laws=laws)
        if restarts
        else partition
    )


def books(messages):
    return product.books([Outcome(message, []) for message in messages])


def of_citizen(messages, citizen):
    return [message for message in messages if orjson.loads(message)["citizen"] == citizen]


@pytest.mark.parametrize("theme", THEMES)
def test_what_was_kept_up_report_by_report_is_what_the_lines_give(theme):
    """Settled anew under the same law nothing moves, and the state is the same to the byte."""
    for seed in range(7200, 7220):
        reports = life(theme, seed)
        kept_up = MemoryStore()
        anew = MemoryStore()
        messages = fold(reports, Laws(), kept_up, batch=9)
        assert fold([*reports, ALL], Laws(), anew, batch=9) == messages
        assert anew == kept_up


@pytest.mark.parametrize("change", CHANGED)
def test_after_rules_and_a_recalculation_the_truth_is_that_of_the_new_rules(change):
    themes = ["late_wages", "old_cases"] if change == "other_old_cases" else sorted(THEMES)
    corrected = 0
    for seed in range(8100, 8125):
        rules = other_rules(change, seed)
        reports = life(themes[seed % len(themes)], seed)
        before = len(fold(reports, Laws()))
        messages = fold([*reports, RulesRecord("r", "other", ""), ALL, ALL], Laws(rules), batch=5)
        found = books(messages)
        rows, counters = reference.settle(reports, rules)
        assert product.true_now(found.rows) == product.true_now(rows), (seed, rules)
        if found.messages:
            assert found.counters == counters
        new = found.messages[before:]
        assert len(new) <= 1, "recalculated twice, posted twice"
        assert {(each["reason"], each["cause"], each["rules"]) for each in new} <= {
            ("rule_change", "recalculate/all-1", "other")
        }
        corrected += len(new)
    assert corrected > 5


@pytest.mark.parametrize("change", CHANGED)
def test_a_citizen_who_was_not_recalculated_is_settled_anew_before_the_next_report(change):
    themes = ["late_wages", "old_cases"] if change == "other_old_cases" else sorted(THEMES)
    changed = 0
    for seed in range(8200, 8230):
        rules = other_rules(change, seed)
        reports = life(themes[seed % len(themes)], seed)
        middle = len(reports) // 2
        entries = [*reports[:middle], RulesRecord("r", "other", ""), *reports[middle:]]
        messages = fold(entries, Laws(rules), batch=4)
        found = books(messages)
        rows, _ = reference.settle(reports, rules)
        assert product.true_now(found.rows) == product.true_now(rows), (seed, rules)
        old = len(fold(reports[:middle], Laws()))
        anew = [
            at for at, message in enumerate(found.messages) if message["reason"] == "rule_change"
        ]
        assert anew in ([], [old]), "once, and before the first message of the next report"
        assert all(found.messages[at]["cause"] == "rules/other" for at in anew)
        assert {message["rules"] for message in found.messages[old:]} <= {"other"}
        changed += len(anew)
    assert changed >= 5


def _with_control_records(rng, reports):
    """Reports with rule sets and recalculations of any scope in between."""
    entries = list(reports)
    citizens = sorted({product.IDENTITY.of(report["cpr"])[0] for report in reports})
    for number in range(rng.randint(2, 6)):
        scope = rng.choice(
            (Scope(), Scope(municipality="730"), Scope(citizen=rng.choice(citizens)))
        )
        record = rng.choice(
            (
                RulesRecord(f"r{number}", rng.choice(("R-1", "other")), ""),
                Recalculation(f"c{number}", scope),
            )
        )
        entries.insert(rng.randint(0, len(entries)), record)
    return entries


def test_the_same_journal_gives_the_same_bytes_whatever_the_batches_and_the_restarts(tmp_path):
    reasons = set()
    for seed in range(24):
        rng = random.Random(seed)
        laws = Laws(other_rules(rng.choice(CHANGED), seed))
        lives = [short_life(100 * seed + number, citizen=number) for number in range(5)]
        reports = [report for reports in lives for report in reports]
        rng.shuffle(reports)
        entries = _with_control_records(rng, reports)
        states = [MemoryStore(), MemoryStore()]
        whole = fold(entries, laws, states[0], batch=len(entries))
        assert (
            fold(entries, laws, states[1], batch=rng.randint(1, 7), chunk=1, restarts=True) == whole
        )
        assert states[0] == states[1]
        on_disk = RocksStore(tmp_path / str(seed))
        assert fold(entries, laws, on_disk, batch=3, chunk=2, restarts=True) == whole
        assert list(on_disk.citizens("")) == list(states[0].citizens(""))
        on_disk.close()
        reasons |= {orjson.loads(message)["reason"] for message in whole}
    assert reasons >= {"rule_change", "report"}


def test_a_recalculation_concerns_its_scope_alone():
    """Whoever a municipality paid or finances is in its scope, by a reversed report too."""
    rules = other_rules("other_bands", 3)
    lives = [life("plan_of", seed, citizen=seed) for seed in range(40, 60)]
    reports = [report for reports in lives for report in reports]
    before = len(fold(reports, Laws()))
    all_of_them = fold([*reports, RulesRecord("r", "other", ""), ALL], Laws(rules))[before:]
    scope = Recalculation("m", Scope(municipality="751"))
    some = fold([*reports, RulesRecord("r", "other", ""), scope], Laws(rules))[before:]
    theirs = {
        product.IDENTITY.of(report["cpr"])[0]
        for report in reports
        if "751" in _municipalities(report)
    }
    found = [orjson.loads(message)["citizen"] for message in all_of_them]
    assert found == sorted(found)
    assert [orjson.loads(message)["citizen"] for message in some] == [
        each for each in found if each in theirs
    ]
    assert 0 < len(some) < len(all_of_them)
    one = fold(
        [*reports, RulesRecord("r", "other", ""), Recalculation("c", Scope(citizen=found[0]))],
        Laws(rules),
    )
    assert [orjson.loads(message)["citizen"] for message in one[before:]] == found[:1]
    nobody = Recalculation("c", Scope(citizen="f" * 32))
    assert len(fold([*reports, RulesRecord("r", "other", ""), nobody], Laws(rules))) == before


def _municipalities(report):
    return {report.get("paying_municipality"), report.get("financing_municipality")}


# --- state of earlier and of newer versions -------------------------------------------------------

FORMAT_1 = FIXTURES / "state-format-1.json"
"""Half of six lives as the first version kept them, and the other half."""


def test_state_of_format_1_goes_on_as_if_it_were_of_today():
    kept = orjson.loads(FORMAT_1.read_bytes())
    state = {key.encode(): value.encode() for key, value in kept["state"].items()}
    store = MemoryStore(state)
    assert {orjson.loads(value)[0] for key, value in store.items() if key.endswith(b"/head")} == {1}
    partition = Partition(product.law(), store, laws=Laws())
    passed_over = partition.recalculate(ALL, "", 100)
    assert passed_over.unsealed == 6 - 1, "all of whom a month is known"
    assert passed_over.postings == []
    store.write(partition.changes())
    after = product.outcomes(kept["later"], store, batch=7)
    whole = product.outcomes([*kept["reports"], *kept["later"]], batch=7)
    assert after == whole[len(kept["reports"]) :]
    assert partition.recalculate(ALL, "", 100).unsealed == 0


@pytest.mark.parametrize(
    ("stated", "told"),
    [("3", "format 3"), ("99", "format 99"), ("100", "a format with too many digits")],
)
def test_newer_state_is_refused_with_what_to_do(stated, told):
    store = {b"c/head": f"[{stated}]".encode()}
    with pytest.raises(
        NewerStateError, match=f" has {told}, this program knows formats up to 2.* run that version"
    ):
        Citizen("c", store, product.law())


def test_a_citizen_of_an_earlier_version_of_the_calculation_is_settled_anew_before_the_next_report(
    monkeypatch,
):
    """Right rows stay; those that the earlier version got wrong are corrected: `rule_change`."""
    reports = life("plan_of", 1)
    store = MemoryStore()
    product.outcomes(reports[:-1], store)
    monkeypatch.setattr(state, "ENGINE", 2)
    monkeypatch.setattr(citizens, "ENGINE", 2)
    right = product.outcomes(reports[-1:], MemoryStore(store))
    assert [outcome.settled_anew for outcome in right] == [None]
    wrong = MemoryStore(
        {key: value.replace(b'"R",80,', b'"R",79,') for key, value in store.items()}
    )
    assert wrong != store
    (outcome,) = product.outcomes(reports[-1:], wrong)
    message = orjson.loads(outcome.settled_anew or b"null")
    assert (message["reason"], message["cause"]) == ("rule_change", "engine/2")
    assert {row["rate"] for row in message["rows"] if "reverses" in row} == {79}
    assert {row["rate"] for row in message["rows"] if "reverses" not in row} == {80}


@pytest.mark.parametrize(
    ("noted", "advice"),
    [
        ({"format": 3}, r"citizens/0: the state has format 3, .* run that version"),
        (
            {"format": 2, "engine": 9},
            r"citizens/0: version 9 of the calculation has settled .* run that version",
        ),
        ({"format": 2, "rules": "R-9"}, r"the rule set R-9 is not known here"),
        (
            {"format": 2, "rules": "R-1", "digest": "0f"},
            r"the rule set R-1 of this program is another",
        ),
    ],
)
def test_a_partition_of_a_newer_version_or_other_rules_is_refused(noted, advice):
    with pytest.raises(UnworkableError, match=advice):
        LawBook().law(*OwnEntry("citizens/0", orjson.dumps(noted)).rules)


def test_a_partition_entry_of_the_first_version_is_read():
    own = OwnEntry("citizens/0", b'{"closed_month": "2024-05", "rules": "R-1"}')
    assert (own.closed_month, LawBook().law(*own.rules).rules.name) == ("2024-05", "R-1")
