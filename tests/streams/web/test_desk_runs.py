"""Runs on the site: looked at, asked to be closed by one person, and closed by another."""

import html
import json
import re
from datetime import timedelta

import pytest

from streams.acts.acts import Act
from streams.acts.four_eyes import GuardedAct, permission
from streams.kit.operating_user import OperatingUser, acting_as
from streams.operations.letter_retry import Retry
from streams.operations.runs import Closing
from streams.web.desk import run_pages
from streams.web.desk import works as desk_works
from streams.web.desk.run_routes import CARRY, CLOSE, LOOK
from streams.web.desk.works import DeskWorks, closing_of, retry_of
from streams.web.words import catalogue
from tests.support.desk_site import ANNA, BIRTE, DORTE, MISSING, at_rest, desk_site
from tests.support.site_client import client_of, visitor

MONTH = {"month": "2024-04"}


def request_of(app):
    """Return the id of the request that closing the run has led to."""
    chore = at_rest(app, CLOSE)
    assert chore.state == "waits", chore.trouble
    return chore.request


def test_one_operator_asks_and_another_closes_the_run(folder, tmp_path):
    app, works = desk_site(folder, tmp_path)
    anna, birte = client_of(app, ANNA), client_of(app, BIRTE)
    assert "Gennemse kørslen først" in anna.get("/koersler").text
    assert anna.post("/koersler/gennemse", data=MONTH).status_code == 303
    at_rest(app, LOOK)
    page = anna.get("/koersler").text
    assert "Kørsel 52 (april 2024) kan lukkes" in page
    assert "yr-ydelsesrefusion-beregning-730-0052" in page
    assert "4 (Modtagelse: intet gyldigt CPR-nummer)" in page
    assert anna.post("/koersler/luk", data=MONTH).status_code == 303
    request = request_of(app)
    assert works.closed == []
    assert "venter på godkendelse" in anna.get("/koersler").text

    # --- one's own request is refused, and so is that of who is nobody's person
    for who in (ANNA, DORTE):
        answer = client_of(app, who).post(f"/godkendelser/{request}/godkend")
        assert answer.status_code == 409, who
        assert "Det blev ikke gjort" in answer.text
    assert "Det er din egen anmodning" in anna.get("/godkendelser").text
    assert works.closed == []

    page = birte.get("/godkendelser").text
    assert "Anna Andersen" in page
    assert "Luk en kørsel" in page
    assert birte.post(f"/godkendelser/{request}/godkend").status_code == 303
    chore = at_rest(app, CARRY)
    assert (chore.state, chore.trouble, len(works.closed)) == ("done", "", 1)
    assert "Kørsel 52 (april 2024) er lukket" in birte.get("/godkendelser").text
    assert birte.post(f"/godkendelser/{request}/godkend").status_code == 409
    assert [(each["type"], each["user"], each.get("four_eyes")) for each in works.kept()] == [
        ("request", "oidc:subject-of-anna", None),
        ("approval", "oidc:subject-of-birte", None),
        ("act", "oidc:subject-of-birte", "approved"),
    ]


def test_doubts_are_named_and_accepted_with_a_reason(folder, tmp_path):
    app, works = desk_site(folder, tmp_path, [MISSING])
    anna, birte = client_of(app, ANNA), client_of(app, BIRTE)
    anna.post("/koersler/gennemse", data=MONTH)
    at_rest(app, LOOK)
    page = anna.get("/koersler").text
    assert "12345678 Randers har intet indberettet om KTH for april 2024" in page
    assert "1.234.500 kr." in page
    anna.post("/koersler/luk", data=MONTH)
    assert at_rest(app, CLOSE).outcome.closed_at == ""
    assert "holdt tilbage" in anna.get("/koersler").text
    anna.post("/koersler/luk", data=MONTH | {"reason": "Randers er lukket"})
    request = request_of(app)
    page = birte.get("/godkendelser").text
    assert "Randers er lukket" in page
    assert "12345678 KTH 2024-04: intet modtaget" in page

    # --- the second person accepts the doubts that the first one saw, and no others
    works.doubts = [MISSING._replace(benefit="SDP-B")]
    birte.post(f"/godkendelser/{request}/godkend")
    chore = at_rest(app, CARRY)
    assert (chore.state, works.closed) == ("failed", [])
    works.doubts = [MISSING]
    birte.post(f"/godkendelser/{request}/godkend")
    assert at_rest(app, CARRY).state == "done"
    assert works.closed == [Closing("2024-04", accept=("Randers er lukket",))]


def test_a_request_is_withdrawn_with_a_reason_that_names_nobody(folder, tmp_path):
    app, _ = desk_site(folder, tmp_path)
    anna = client_of(app, ANNA)
    anna.post("/koersler/luk", data=MONTH)
    request = request_of(app)
    refuse = f"/godkendelser/{request}/afvis"
    for reason in ("", "se 010190-1234"):
        assert anna.post(refuse, data={"reason": reason}).status_code == 422
    assert anna.post(refuse, data={"reason": "for tidligt"}).status_code == 303
    page = anna.get("/godkendelser").text
    assert "Luk en kørsel: afvist" in page
    assert "Intet venter på godkendelse" in page


def test_a_person_who_asks_on_the_command_line_does_not_approve_on_the_site(folder, tmp_path):
    app, works = desk_site(folder, tmp_path)
    with acting_as(OperatingUser("anna", 1001, "ops1")), pytest.raises(Exception, match="waits"):
        works.close(Closing("2024-04"), lambda *_: None)
    (request,) = works.requests()
    assert client_of(app, ANNA).post(f"/godkendelser/{request.id}/godkend").status_code == 409
    assert client_of(app, BIRTE).post(f"/godkendelser/{request.id}/godkend").status_code == 303
    assert at_rest(app, CARRY).state == "done"


def test_what_the_site_cannot_do_is_left_to_the_command_line(folder, tmp_path):
    app, works = desk_site(folder, tmp_path)
    guarded = GuardedAct(Act("opening load", {}), ["opening", "load", "/x/rows.jsonl"])
    with acting_as(OperatingUser("anna", 1001, "ops1")), pytest.raises(Exception, match="waits"):
        works._ask(permission(works.settings, guarded, works.topic.open))
    (request,) = works.requests()
    birte = client_of(app, BIRTE)
    page = birte.get("/godkendelser").text
    assert f"refusion approve {request.id}" in page
    assert '/godkend"' not in page
    assert birte.post(f"/godkendelser/{request.id}/godkend").status_code == 409
    assert [each["type"] for each in works.kept()] == ["request"]


def test_no_approval_is_written_of_a_request_that_the_site_cannot_carry_out(folder, tmp_path):
    """It may be younger than the requests that the site has seen."""
    app, works = desk_site(folder, tmp_path)
    guarded = GuardedAct(Act("opening load", {}), ["opening", "load", "/x/rows.jsonl"])
    with acting_as(OperatingUser("anna", 1001, "ops1")), pytest.raises(Exception, match="waits"):
        works._ask(permission(works.settings, guarded, works.topic.open))
    (request,) = works.requests()
    works.requests = list
    answer = client_of(app, BIRTE).post(f"/godkendelser/{request.id}/godkend")
    assert answer.status_code == 409
    assert catalogue()["desk.refused_command_line"]["da"] in html.unescape(answer.text)
    assert [each["type"] for each in works.kept()] == ["request"]


def test_only_operators_act_and_a_municipality_sees_its_own_figures(folder, tmp_path):
    app, works = desk_site(folder, tmp_path)
    for who in (visitor("auditor"), visitor("state"), visitor("economy", municipality="751")):
        client = client_of(app, who)
        for path in ("/koersler/gennemse", "/koersler/luk"):
            assert client.post(path, data=MONTH).status_code == 403
        assert client.get("/koersler").status_code == 200
    economy = client_of(app, visitor("economy", municipality="751"))
    for path in ("/koersler", "/koersler/51"):
        page = economy.get(path).text
        assert "751 Aarhus" in page
        assert "730 Randers" not in page
    assert "730 Randers" in client_of(app, visitor("state")).get("/koersler/51").text
    assert economy.get("/koersler/77").status_code == 404
    assert client_of(app, visitor("economy")).get("/koersler").status_code == 403
    assert works.kept() == []


def test_another_sites_page_cannot_ask_for_anything(folder, tmp_path):
    app, _ = desk_site(folder, tmp_path)
    anna = client_of(app, ANNA)
    for path in ("/koersler/luk", "/koersler/gennemse", f"/godkendelser/{'a' * 16}/godkend"):
        answer = anna.post(path, data=MONTH, headers={"Sec-Fetch-Site": "cross-site"})
        assert answer.status_code == 403
    assert app.state.parts.chores.last(CLOSE) is None


def test_brokers_that_are_gone_are_a_sentence_on_the_page(folder, tmp_path):
    class RealWorks(DeskWorks):
        def __init__(self, settings, _doubts):
            super().__init__(settings)

    app, _ = desk_site(folder, tmp_path, works=RealWorks)
    anna = client_of(app, ANNA)
    for path in ("/koersler", "/godkendelser"):
        answer = anna.get(path)
        assert answer.status_code == 200
        assert "Det kan ikke ses lige nu" in answer.text
    anna.post("/koersler/gennemse", data=MONTH)
    assert at_rest(app, LOOK).state == "failed"
    page = anna.get("/koersler").text
    assert "Kørslen kunne ikke gennemses" in page
    assert "Seneste lukkede kørsel" in page


def test_receipts_of_a_run_are_shown_to_whom_they_concern(folder, tmp_path):
    app, _ = desk_site(folder, tmp_path)
    state = tmp_path / "state"
    state.mkdir(exist_ok=True)
    name = "yr-ydelsesrefusion-beregning-{}-0051-2024-04-05.csv"
    told = {"at": "2024-04-06T08:00:00Z", "to": "sftp://a", "bytes": 5, "sha256": "f" * 64}
    lines = [json.dumps(told | {"file": name.format(place)}) for place in ("730", "751")]
    text = "\n".join([*lines, ""])
    (state / "receipts.jsonl").write_text(text + "half a li")
    economy = client_of(app, visitor("economy", municipality="751")).get("/koersler/51").text
    assert re.findall(r"beregning-(\d+)", economy) == ["751"]
    assert "beregning-730" in client_of(app, ANNA).get("/koersler/51").text


def test_of_very_many_receipts_the_newest_are_shown(folder, tmp_path, monkeypatch):
    app, _ = desk_site(folder, tmp_path)
    (tmp_path / "state").mkdir(exist_ok=True)
    name = "yr-ydelsesrefusion-beregning-{}-0051-2024-04-05.csv"
    told = {"at": "2024-04-06T08:00:00Z", "to": "sftp://a", "bytes": 5, "sha256": "f" * 64}
    lines = [json.dumps(told | {"file": name.format(place)}) + "\n" for place in ("730", "751")]
    (tmp_path / "state" / "receipts.jsonl").write_text("".join(lines))
    monkeypatch.setattr(run_pages, "LARGEST_RECEIPTS", len(lines[1]) + 10)
    page = client_of(app, ANNA).get("/koersler/51").text
    assert re.findall(r"beregning-(\d+)", page) == ["751"]


def test_requests_that_are_read_and_old_are_not_kept(folder, tmp_path, monkeypatch):
    app, works = desk_site(folder, tmp_path)
    client_of(app, ANNA).post("/koersler/luk", data=MONTH)
    request_of(app)
    assert len(works.requests()) == 1
    monkeypatch.setattr(desk_works, "KEPT_DAYS", -1)
    monkeypatch.setattr(desk_works, "OVERLAP", timedelta(0))
    works.requests()
    assert works._requests.entries == {}


def test_notices_that_are_slow_do_not_hold_up_approvals(folder, tmp_path):
    _, works = desk_site(folder, tmp_path)
    with works._of_notices:
        assert works.requests() == []


def test_commands_of_requests_are_read_as_the_command_line_reads_them():
    command = ["run", "close", "--month", "2024-01", "--no-wait", "--accept", "a", "--accept", "b"]
    assert closing_of(command) == Closing("2024-01", wait=False, accept=("a", "b"))
    closing = closing_of([*command, "--jobs", "2"])
    assert closing == Closing("2024-01", wait=False, accept=("a", "b"), jobs=2)
    assert closing_of(["run", "close", "--month", "2024-01", "--jobs", "x"]) is None
    retry = ["dead-letters", "retry", "--unchanged", "--again", "3/1", "0/2"]
    assert retry_of(retry) == Retry(("3/1", "0/2"), again=True, unchanged=True)
    for other in (["run", "close"], ["run", "close", "--month", "2024-01", "--more"], ["opening"]):
        assert (closing_of(other), retry_of(other)) == (None, None)
