"""The counters and new starts of a week, explained; other rules, other explanations."""

from dataclasses import replace

from tests.support.told import JANUARY, RULES, X1, life_of, paid, week


def test_a_new_start_names_the_weeks_that_made_it():
    life = life_of(*X1)
    (new_start,) = life.new_starts
    assert new_start.at_end_of == "2018-04-16"
    assert [(each.first, each.number) for each in new_start.weeks] == [
        ("2017-01-16", 24),
        ("2017-10-09", 28),
    ]
    assert week("2018-04-16", *X1).new_start_here == new_start
    after = week("2018-04-23", *X1)
    assert (after.count.reached, after.last_new_start, after.band.refusion) == (1, new_start, 80)


def test_a_week_long_after_all_money_knows_the_new_start_since():
    """Nobody has ranked a week there yet, so the state does not know of it."""
    last_reported = X1[:3]
    after = week("2018-04-23", *last_reported)
    assert after.last_new_start.at_end_of == "2018-04-16"
    assert (after.count.reached, after.band.refusion) == (0, 80)
    assert week("2018-04-16", *last_reported).band.refusion == 20


def test_the_count_and_the_earned_weeks_are_named():
    reason = week("2017-10-09", *X1)
    assert [(each.first, each.number) for each in reason.count.weeks] == [
        ("2016-01-04", 54),
        ("2017-07-03", 14),
    ]
    assert [(each.first, each.number) for each in reason.earned.weeks] == [
        ("2017-01-16", 24),
        ("2017-10-09", 1),
    ]
    assert (reason.earned.earned, reason.earned.needed) == (25, 52)


def test_what_is_missing_and_what_drops_out_first():
    """45 weeks are earned; the first of them, of 6 March 2023, leaves the window in the week of
    2 March 2026.
    """
    periods = [
        ("2023-02-27", "2023-03-05"),
        ("2024-01-15", "2025-01-12"),
        ("2025-01-13", "2026-01-11"),
    ]
    reports = [
        paid(start, start, end, benefit="RFY")
        for start, end in [*periods, ("2026-01-12", "2026-02-22")]
    ]
    ahead = life_of(*reports).ahead
    assert ahead.week == "2026-02-16"
    assert ahead.sentences[1] == (
        "7 whole weeks of self-support until a new start, unless earned ones drop out first: the"
        " next on 2026-03-02."
        " If nothing but self-support follows, it comes at the end of the week of 2027-02-15."
    )


def test_one_of_a_thing_is_said_in_the_singular():
    ahead = week("2024-01-22", JANUARY).ahead
    assert ahead.sentences[0] == "1 more benefit week until 40 % (medfinansiering 60 %)."
    assert (ahead.benefit_weeks, ahead.next_refusion, ahead.self_support_weeks) == (1, 40, 52)


def test_another_staircase_gives_another_step_rate_and_distance():
    (stairs,) = RULES.staircases
    first, second, *others = stairs.bands
    bands = (
        replace(first, to_week=2, refusion=75, medfinansiering=25),
        replace(second, from_week=3),
        *others,
    )
    rules = replace(RULES, name="what-if", staircases=(replace(stairs, bands=bands),))
    reason = week("2024-01-01", JANUARY, rules=rules)
    assert (reason.rule_set, reason.rows[0].rate, reason.rows[0].result_ore) == (
        "what-if",
        75,
        203_226,
    )
    assert (
        reason.rules["staircase.1"].says == "benefit weeks 1-2: refusion 75 %, medfinansiering 25 %"
    )
    assert reason.ahead.benefit_weeks == 2
    assert week("2024-01-15", JANUARY, rules=rules).rows[0].rate == 40


def test_a_rule_that_is_not_equally_sure_in_all_of_it_says_so():
    reason = week("2025-07-07", paid("k", "2025-07-01", "2025-07-31", benefit="KTH25"))
    rule = reason.rules["catalogue.KTH25"]
    assert (rule.evidence, rule.evidence_of["rate"]) == ("verified", "inferred")


def test_another_reset_gives_another_new_start():
    rules = replace(RULES, reset=replace(RULES.reset, self_support_weeks=24))
    life = life_of(*X1, rules=rules)
    assert [each.at_end_of for each in life.new_starts] == ["2017-06-26", "2018-03-19"]
    assert (
        life.rules["reset.self_support_weeks"].says
        == "24 whole weeks of self-support make a new start"
    )


def test_another_catalogue_gives_another_state():
    benefit = replace(RULES.benefits["SU"], counts=True)
    rules = replace(RULES, benefits=dict(RULES.benefits) | {"SU": benefit})
    su = paid("su", "2024-01-01", "2024-01-07", benefit="SU")
    assert week("2024-01-01", su).state == "O"
    assert week("2024-01-01", su).rules["switches.OTHER_LIST"].evidence == "expert"
    assert week("2024-01-01", su, rules=rules).state == "B"
