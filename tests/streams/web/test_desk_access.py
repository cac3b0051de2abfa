"""The access log on the site: searched, by citizen, sampled; each search is on record too."""

import asyncio
import csv
import io
from datetime import UTC, datetime, timedelta

import pytest

from streams.acts.act_search import MOST, ActQuestion, searched
from streams.acts.acts import Act, record_acts
from streams.acts.chain import AccessRecord
from streams.kit.last_outcomes import keep_outcome
from streams.lis.act_table import ActTable
from streams.lis.store import LisError
from streams.settings import Settings
from tests.support.acts_in_memory import MemoryActTopic
from tests.support.desk_site import desk_site
from tests.support.site_client import client_of, visitor

CPR = "610190" + "1234"
OTHER = "610290" + "1234"


@pytest.fixture
def desk(folder, tmp_path):
    return desk_site(folder, tmp_path)


def looked(works, citizens, purpose, subject="subject-of-tove"):
    who = {"subject": subject, "roles": ["caseworker"], "municipality": "751"}
    scope = {"visitor": who, "page": "/borger/{token}", "request": "abcd", "citizens": citizens}
    acts = [Act("site citizen", scope, purpose)]
    asyncio.run(record_acts(works.settings, acts, works.topic.open))


def test_who_saw_a_citizen_is_found_and_given_as_a_file(desk):
    app, works = desk
    citizen, other = (app.state.parts.citizens.citizen_of(number) for number in (CPR, OTHER))
    looked(works, [citizen], "sag 1")
    looked(works, [other, citizen], "sag 2", "subject-of-per")
    looked(works, [other], "sag 3")
    client = client_of(app, visitor("auditor", subject="revisor"))
    asked = {"cpr": CPR, "purpose": "indsigt"}
    page = client.post("/adgang", data=asked).text
    assert "sag 1" in page
    assert "subject-of-per" in page
    assert "sag 3" not in page
    assert CPR not in page
    assert citizen not in page
    answer = client.post("/adgang", data=asked | {"form": "csv"})
    rows = [*csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig")), delimiter=";")]
    assert [row["Formål"] for row in rows] == ["indsigt", "indsigt", "sag 2", "sag 1"]
    assert answer.headers["cache-control"] == "no-store"
    last = works.kept()[-1]
    assert (last["act"], last["scope"]["citizens"]) == ("site who saw", [citizen])


def test_a_copy_that_cannot_be_used_is_told_and_closes_no_search(desk, monkeypatch):
    def broken(*_given):
        raise LisError("the copy of the acts cannot be read")

    app, works = desk
    monkeypatch.setattr(ActTable, "take", broken)
    looked(works, [app.state.parts.citizens.citizen_of(CPR)], "sag 1")
    page = client_of(app, visitor("auditor")).get("/adgang").text
    assert "sag 1" in page
    assert "alt er læst i emnet selv" in page
    assert "the copy of the acts cannot be read" in page


def test_without_a_number_or_a_purpose_nobody_is_searched_for(desk):
    app, works = desk
    client = client_of(app, visitor("auditor"))
    for asked in ({"cpr": "12", "purpose": "x"}, {"cpr": CPR}, {"cpr": CPR, "purpose": CPR}):
        answer = client.post("/adgang", data=asked)
        assert answer.status_code == 422
        assert CPR not in answer.text
    assert works.kept() == []


def test_the_log_is_searched_by_act_and_person(desk):
    app, works = desk
    looked(works, ["ab" * 16], "sag 1")
    client = client_of(app, visitor("auditor", subject="revisor"))
    page = client.get("/adgang").text
    assert "subject-of-tove" in page
    assert "ab" * 16 not in page
    page = client.get("/adgang", params={"hvem": "TOVE", "handling": "site citizen"}).text
    assert "1 noteringer" in page
    assert "0 noteringer" in client.get("/adgang", params={"hvem": "nobody"}).text
    assert client.get("/adgang", params={"hvem": CPR}).status_code == 422
    assert [each["act"] for each in works.kept()].count("site access log") == 3
    for role in ("operator", "state", "caseworker", "economy", "lis"):
        assert client_of(app, visitor(role, municipality="751")).get("/adgang").status_code == 403


def test_a_sample_is_the_same_for_the_same_draw_and_of_looks_at_citizens_alone(tmp_path):
    settings = Settings.load(
        {
            "REFUSION_DEMO": "1",
            "REFUSION_STATE_DIR": str(tmp_path),
            "REFUSION_BOOTSTRAP": "127.0.0.1:1",
        }
    )
    topic = MemoryActTopic()
    acts = [Act("lis", {"citizens": [f"{number:032x}"]}, "x") for number in range(60)]
    acts += [Act("export", {"run": number}) for number in range(20)]
    asyncio.run(record_acts(settings, acts, topic.open))

    def drawn(draw):
        question = ActQuestion(sample=10, draw=draw)
        return asyncio.run(searched(settings, question, topic.open))

    first, again, other = drawn(1), drawn(1), drawn(2)
    assert first == again
    assert first.lines != other.lines
    assert (len(first.lines), first.count) == (10, 60)
    assert {line.act for line in (*first.lines, *other.lines)} == {"lis"}


def test_a_long_log_gives_the_newest_and_foreign_records_are_counted_and_not_shown(tmp_path):
    settings = Settings.load(
        {
            "REFUSION_DEMO": "1",
            "REFUSION_STATE_DIR": str(tmp_path),
            "REFUSION_BOOTSTRAP": "127.0.0.1:1",
        }
    )
    topic = MemoryActTopic()
    acts = [Act("export", {"run": number}) for number in range(MOST + 20)]
    asyncio.run(record_acts(settings, acts, topic.open))
    forged = topic.kept[0]
    value = (forged.value or b"").replace(b'"export"', b'"forged"')
    topic.kept.append(AccessRecord(len(topic.kept), forged.key, value, forged.headers))
    since = datetime.now(UTC) - timedelta(days=1)
    found = asyncio.run(searched(settings, ActQuestion(since), topic.open))
    assert (len(found.lines), found.count, found.foreign) == (MOST, MOST + 20, 1)
    assert [line.offset for line in found.lines] == [*range(MOST + 19, 19, -1)]


def test_the_auditors_page_says_what_was_checked_and_how_much_there_is(desk, tmp_path):
    app, works = desk
    client = client_of(app, visitor("auditor"))
    assert "Den er ikke kørt på denne maskine" in client.get("/revision").text
    keep_outcome(tmp_path / "state", "verify", {"fine": False, "violations": 3})
    page = client.get("/revision").text
    assert "Ikke i orden" in page
    assert "3 fejl fundet" in page
    assert "240.000" in page
    assert "41 % brugt, 12 GB ledig" in page
    assert works.kept()[-1]["act"] == "site audit"
    assert client_of(app, visitor("operator")).get("/revision").status_code == 403
