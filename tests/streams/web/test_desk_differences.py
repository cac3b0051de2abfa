"""Replays and answers on the site: amounts by municipality and cause before money moves."""

import asyncio
from dataclasses import replace

import pytest

from streams.acts.acts import Act
from streams.acts.four_eyes import MOVED_BY_CAUSE, MOVED_BY_PLACE, GuardedAct, permission
from streams.kit.operating_user import OperatingUser, acting_as
from streams.operations.kept_differences import COMPARISON, Moved, keep_difference
from tests.support.desk_site import ANNA, ANSWERED, BIRTE, REPLAYED, desk_site
from tests.support.site_client import client_of, visitor

PAGE = f"/koersler/genberegninger/{REPLAYED.id}"
AUDITOR, STATE = visitor("auditor"), visitor("state")
ECONOMY = visitor("economy", municipality="751")
CASEWORKER = visitor("caseworker", municipality="751")


@pytest.fixture
def site(folder, tmp_path):
    app, works = desk_site(folder, tmp_path)
    keep_difference(works.settings.state_dir, REPLAYED)
    return app, works


def test_a_replay_is_seen_by_municipality_and_cause(site):
    app, _ = site
    page = client_of(app, ANNA).get(PAGE).text
    assert "Staten betaler kommunerne 994.700 kr. mere" in page
    assert "730 Randers" in page
    assert "+1.000.000" in page
    assert "Et nyt regelsæt" in page
    assert "10.000.000" in page
    assert "R-2 i stedet for R-1" in page
    assert "den seneste lukkede kørsel var 51 (marts 2024)" in page
    assert PAGE in client_of(app, STATE).get("/koersler").text
    english = client_of(app, AUDITOR).get("/en" + PAGE).text
    assert "The State pays the municipalities 994,700 kr. more" in english


def test_a_municipality_sees_its_own_part_alone(site):
    app, works = site
    page = client_of(app, ECONOMY).get(PAGE).text
    assert "751 Aarhus" in page
    assert "5.300 kr. mindre" in page
    for hidden in ("730", "1.000.000", "anna", "34"):
        assert hidden not in page.replace("#730", "")
    other = replace(REPLAYED, id="20240405T100000Z-00000003", municipality="730")
    keep_difference(works.settings.state_dir, other)
    assert client_of(app, ECONOMY).get(f"/koersler/genberegninger/{other.id}").status_code == 404
    assert other.id not in client_of(app, ECONOMY).get("/koersler").text
    assert client_of(app, CASEWORKER).get(PAGE).status_code == 403
    assert client_of(app, ANNA).get(PAGE.replace("001", "009")).status_code == 404


def test_what_was_posted_tells_who_asked_and_who_approved(site):
    app, works = site
    applied = {"cost_ore": 994_700_00, "rows": 11, "by": "birte", "asked_by": "anna", "reason": ""}
    keep_difference(works.settings.state_dir, replace(REPLAYED, applied=applied))
    page = client_of(app, AUDITOR).get(PAGE).text
    assert "+994.700 kr., 11 rækker" in page
    assert "birte" in page


def test_another_answer_is_told_with_what_it_costs_or_how_to_compute_it(site):
    app, works = site
    operator = client_of(app, ANNA)
    page = operator.get("/regler").text
    assert "refusion replay --answer UFB=BENEFIT --dry-run" in page
    assert "WEEK_MONTH=" not in page, "what is not coded cannot be computed"
    keep_difference(works.settings.state_dir, ANSWERED)
    page = operator.get("/regler").text
    assert "refusion replay --answer UFB=BENEFIT --dry-run" not in page
    assert "refusion replay --answer SPLIT=WEEKDAYS --dry-run" in page
    assert "Staten betaler kommunerne 994.700 kr. mere" in page
    address = f"/regler/svar/{ANSWERED.id}"
    assert address in page
    assert "730 Randers" in operator.get(address).text
    assert operator.get(f"/regler/svar/{REPLAYED.id}").status_code == 404
    own = client_of(app, CASEWORKER)
    assert "751 Aarhus 5.300 kr. mindre" in own.get("/regler").text
    assert "730" not in own.get(address).text


def test_a_comparison_of_files_does_not_displace_the_amount_of_a_replay(site):
    app, works = site
    compared = replace(
        ANSWERED, id="20240406T100000Z-00000004", source=COMPARISON,
        moved=[Moved("730", "rule_change", 123_00, 0, 1)],
    )  # fmt: skip
    operator = client_of(app, ANNA)
    keep_difference(works.settings.state_dir, compared)
    assert "Staten betaler kommunerne 123 kr. mere" in operator.get("/regler").text
    keep_difference(works.settings.state_dir, ANSWERED)
    page = operator.get("/regler").text
    assert "Staten betaler kommunerne 994.700 kr. mere" in page
    assert "123 kr." not in page


def test_the_second_person_sees_the_amounts_before_the_approval(site):
    app, works = site
    about = {MOVED_BY_CAUSE: {"rule_change": 994_700_00},
             MOVED_BY_PLACE: {"730": 1_000_000_00, "751": -5_300_00}}  # fmt: skip
    guarded = GuardedAct(
        Act("replay --apply", {"rules": "R-2"}), ["replay", "--apply"], about=about
    )
    with acting_as(OperatingUser("anna", 1001, "ops1")), pytest.raises(Exception, match="waits"):
        asyncio.run(permission(works.settings, guarded, works.topic.open))
    page = client_of(app, BIRTE).get("/godkendelser").text
    assert "Et nyt regelsæt: +994.700 kr." in page
    assert "730 Randers: +1.000.000 kr." in page
    assert "751 Aarhus: -5.300 kr." in page
    assert "I alt: +994.700 kr." in page
