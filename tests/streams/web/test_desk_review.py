"""The half-yearly review of access: who used the site, who did not, and the note about it."""

import asyncio
import csv
import io
from datetime import UTC, datetime, timedelta

import pytest

from streams.acts import writer
from streams.acts.access_review import Half, ReviewQuestion, reviewed
from streams.acts.acts import Act, record_acts
from tests.support.desk_site import desk_site
from tests.support.site_client import client_of, visitor

NOW = Half.of(datetime.now(UTC))
CONTROLLER = visitor("economy", municipality="751", subject="kirsten")
CPR = "010190" + "1234"


@pytest.fixture
def desk(folder, tmp_path):
    return desk_site(folder, tmp_path)


@pytest.fixture
def at(monkeypatch):
    """Let the acts that follow be recorded at another moment."""

    def turn_to(moment):
        monkeypatch.setattr(writer, "now_text", lambda: f"{moment:%Y-%m-%dT%H:%M:%SZ}")

    return turn_to


def used(works, subject, act, place="751", role="caseworker", citizens=()):
    who = {"subject": subject, "roles": [role], "municipality": place}
    scope = {"visitor": who, "page": "/x", "citizens": list(citizens)}
    asyncio.run(record_acts(works.settings, [Act(act, scope, "sag")], works.topic.open))


def test_a_half_year_begins_and_ends_where_the_next_one_begins():
    half = Half.named("2026-2")
    assert half.begins == datetime(2026, 7, 1, tzinfo=UTC)
    assert half.ends == Half.named("2027-1").begins
    assert Half.named("2026-1").before == Half(2025, 2)
    assert Half.of(datetime(2026, 6, 30, tzinfo=UTC)) == Half(2026, 1)


def test_persons_of_the_municipality_are_added_up_and_nobody_elses(desk):
    _, works = desk
    used(works, "tove", "site log-on")
    used(works, "tove", "site citizen", citizens=["ab" * 16])
    used(works, "tove", "site citizen", citizens=["cd" * 16, "ab" * 16])
    used(works, "per", "site log-on", role="lis")
    used(works, "ole", "site citizen", place="730")
    used(works, "rita", "site audit", place=None, role="auditor")
    found = asyncio.run(reviewed(works.settings, ReviewQuestion("751", NOW), works.topic.open))
    told = {each.subject: (each.log_ons, each.looks, each.citizens) for each in found.persons}
    assert told == {"tove": (1, 2, 3), "per": (1, 0, 0)}
    assert found.over_all == {"auditor": 1}
    assert not any(each.is_unused for each in found.persons)
    later = Half(NOW.year + (NOW.number == 2), 2 if NOW.number == 1 else 1)
    found = asyncio.run(reviewed(works.settings, ReviewQuestion("751", later), works.topic.open))
    assert {each.subject for each in found.persons if each.is_unused} == {"tove", "per"}
    assert all(each.roles for each in found.persons)


def test_a_record_that_nobody_of_ours_wrote_is_counted_and_no_use(desk):
    _, works = desk
    used(works, "tove", "site citizen")
    forged = works.topic.kept[0]
    works.topic.kept.append(forged._replace(value=forged.value.replace(b'"tove"', b'"eve_"')))
    found = asyncio.run(reviewed(works.settings, ReviewQuestion("751", NOW), works.topic.open))
    assert [each.subject for each in found.persons] == ["tove"]
    assert found.foreign == 1


def test_a_controller_reviews_notes_it_and_a_later_change_shows(desk):
    app, works = desk
    used(works, "tove", "site citizen", citizens=["ab" * 16])
    client = client_of(app, CONTROLLER)
    page = client.get("/adgang/gennemgang").text
    assert "tove" in page
    assert "ab" * 16 not in page
    assert "Ingen har noteret" in page
    digest = page.partition('name="digest" value="')[2][:16]
    asked = {"halvaar": NOW.name, "digest": digest, "note": "Alle gennemgået"}
    assert client.post("/adgang/gennemgang", data=asked | {"note": CPR}).status_code == 422
    assert client.post("/adgang/gennemgang", data=asked | {"note": " "}).status_code == 422
    answer = client.post("/adgang/gennemgang", data=asked)
    assert answer.headers["location"] == f"/adgang/gennemgang?halvaar={NOW.name}#noter"
    kept = [each for each in works.kept() if each["act"] == "access review"]
    assert [(each["reason"], each["scope"]["half"]) for each in kept] == [
        ("Alle gennemgået", NOW.name)
    ]
    page = client.get("/adgang/gennemgang").text
    assert "Alle gennemgået" in page
    used(works, "ny", "site log-on")
    assert "Listen er ændret siden noten" in client.get("/adgang/gennemgang").text


def test_a_review_that_was_made_after_its_half_year_is_shown_with_it(desk):
    app, _ = desk
    client = client_of(app, CONTROLLER)
    asked = {"halvaar": NOW.before.name, "digest": "abcdefghijklmnop", "note": "Set i januar"}
    assert client.post("/adgang/gennemgang", data=asked).status_code == 303
    page = client.get("/adgang/gennemgang", params={"halvaar": NOW.before.name}).text
    assert "Set i januar" in page
    assert "kirsten" not in page.partition('id="noter"')[0]  # she was not there in that half
    assert "Set i januar" not in client.get("/adgang/gennemgang").text


def test_roles_are_those_of_the_last_record_and_a_log_off_alone_is_use(desk, at):
    _, works = desk
    before = NOW.before.begins
    for day, role in ((9, "lis"), (30, "economy"), (20, "caseworker")):
        at(before + timedelta(days=day))
        used(works, "per", "site log-on", role=role)
        used(works, "tove", "site log-on", role=role)
    at(NOW.begins)
    used(works, "tove", "site log-off", role="lis")
    found = asyncio.run(reviewed(works.settings, ReviewQuestion("751", NOW), works.topic.open))
    told = {each.subject: (each.is_unused, each.roles) for each in found.persons}
    assert told == {"per": (True, {"economy"}), "tove": (False, {"lis"})}


def test_files_of_a_review_say_the_same_and_are_recorded(desk):
    app, works = desk
    used(works, "tove", "site citizen", citizens=["ab" * 16])
    used(works, "=cmd", "site log-on")
    client = client_of(app, visitor("auditor", subject="rita"))
    asked = {"municipality": "751", "halvaar": NOW.name}
    answer = client.get("/adgang/gennemgang.csv", params=asked)
    rows = [*csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig")), delimiter=";")]
    assert {row["Person"] for row in rows} == {"'=cmd", "tove"}
    assert rows[-1]["Borgere vist"] == "1" or rows[0]["Borgere vist"] == "1"
    assert client.get("/adgang/gennemgang.pdf", params=asked).content.startswith(b"%PDF")
    looks = [each["scope"] for each in works.kept() if each["act"] == "site access review"]
    assert [(each["of"], each["form"]) for each in looks] == [("751", "csv"), ("751", "pdf")]
    assert client.get("/adgang/gennemgang.csv").status_code == 400
    works.topic.failing = OSError()
    assert client.get("/adgang/gennemgang.csv", params=asked).status_code == 503


def test_who_sees_all_sums_beside_a_controllers_role_reviews_the_own_municipality_alone(desk):
    app, works = desk
    used(works, "ole-of-730", "site citizen", place="730")
    client = client_of(app, visitor("economy", "state", municipality="751", subject="kirsten"))
    for form in ("", ".csv", ".pdf"):
        answer = client.get(f"/adgang/gennemgang{form}", params={"municipality": "730"})
        assert answer.status_code == 403, form
    page = client.get("/adgang/gennemgang").text
    assert "751 " in page
    assert "ole-of-730" not in page
    assert 'name="digest"' in page  # the note is hers to make
    assert client.get("/adgang/gennemgang.csv").status_code == 200


def test_an_auditor_chooses_a_municipality_and_notes_nothing(desk):
    app, _ = desk
    client = client_of(app, visitor("auditor"))
    page = client.get("/adgang/gennemgang").text
    assert "751 " in page
    assert "<form" in page
    assert 'method="post" action="/adgang/gennemgang"' not in page
    asked = {"halvaar": NOW.name, "note": "x"}
    assert client.post("/adgang/gennemgang", data=asked).status_code == 403
