"""Requests on the page of approvals: told in words, with their amounts, and without persons."""

import html
import re

import pytest

from domain.citizen.reports import Freeing
from streams.acts.acts import Act
from streams.acts.four_eyes import GuardedAct, permission
from streams.cli.approvals import _lines
from streams.kit.errors import AwaitingApproval
from streams.kit.operating_user import OperatingUser, acting_as
from streams.operations import freed_ids, merges
from streams.operations.merge_pairs import MergePair
from streams.web.desk.letter_routes import LETTERS, RETRY
from streams.web.desk.run_routes import CARRY, CLOSE, LOOK
from tests.support.desk_site import ANNA, BIRTE, DORTE, MISSING, at_rest, desk_site
from tests.support.site_client import client_of, visitor

MONTH = {"month": "2024-04"}
FORMER, TO = "ab" * 16, "cd" * 16


def ask(works, guarded):
    """Ask for an act on the command line, as Anna."""
    with acting_as(OperatingUser("anna", 1001, "ops1")), pytest.raises(AwaitingApproval):
        works._ask(permission(works.settings, guarded, works.topic.open))


def words_of(answer):
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", answer.text)).split())


def test_an_operator_sees_no_person_in_a_request(folder, tmp_path):
    app, works = desk_site(folder, tmp_path)
    freeing = Freeing("x", FORMER, "12345678", "P-0101")
    replay = {"rules": "", "municipality": "", "citizen": TO, "rule_set": "R-1"}
    for guarded in (
        merges._guarded([MergePair(FORMER, TO)], "nyt nummer", undo=False),
        merges._guarded([MergePair(FORMER, TO)], "fejl", undo=True),
        merges._guarded([MergePair(FORMER, TO), MergePair(TO, FORMER)], "nye", undo=False),
        freed_ids._guarded(freeing, "forkert id"),
        GuardedAct(Act("replay --apply", replay), ["replay", "--citizen", TO, "--apply"]),
        GuardedAct(Act("later act", {"whom": FORMER, "run": 52}), ["later", FORMER]),
    ):
        ask(works, guarded)
    page = client_of(app, BIRTE).get("/godkendelser")
    assert FORMER not in page.text
    assert TO not in page.text
    assert "P-0101" not in page.text
    told = words_of(page)
    assert told.count("Hidtidigt nummer en borger Nyt nummer en borger") == 2
    assert told.count("Skilles igen ja") == 1
    assert "Om en borger" in told
    assert "Indberetter 12345678" in told
    assert "Regelsæt R-1" in told
    assert "Læg en borgers to numre sammen" in told
    for raw in ("False", "former", "undo", "report_id", "rule_set", "whom"):
        assert raw not in told, raw


def test_the_second_person_sees_the_amounts_and_they_may_not_grow(folder, tmp_path):
    app, works = desk_site(folder, tmp_path, [MISSING])
    anna, birte = client_of(app, ANNA), client_of(app, BIRTE)
    anna.post("/koersler/luk", data=MONTH | {"reason": "Randers er lukket"})
    request = at_rest(app, CLOSE).request
    told = words_of(birte.get("/godkendelser"))
    assert "12345678 KTH 2024-04: intet modtaget, 1.234.500 kr." in told
    works.doubts = [MISSING._replace(amount_ore=MISSING.amount_ore + 1)]
    birte.post(f"/godkendelser/{request}/godkend")
    chore = at_rest(app, CARRY)
    assert (chore.state, works.closed) == ("failed", [])
    assert "is larger now" in chore.trouble
    works.doubts = [MISSING._replace(amount_ore=MISSING.amount_ore - 1)]
    birte.post(f"/godkendelser/{request}/godkend")
    assert at_rest(app, CARRY).state == "done"
    assert "Luk en kørsel trods tvivl: sat i gang" in words_of(birte.get("/godkendelser"))


def test_nothing_is_approved_while_other_work_goes_on_and_nothing_is_dropped(folder, tmp_path):
    app, works = desk_site(folder, tmp_path)
    anna, birte = client_of(app, ANNA), client_of(app, BIRTE)
    anna.post("/koersler/luk", data=MONTH)
    closing = at_rest(app, CLOSE).request
    anna.post(LETTERS, data={"place": "3/17", "unchanged": "true"})
    retrying = at_rest(app, RETRY).request
    works.may_go_on.clear()
    assert birte.post(f"/godkendelser/{retrying}/godkend").status_code == 303
    answer = birte.post(f"/godkendelser/{closing}/godkend")
    assert answer.status_code == 409
    assert "Andet arbejde af samme slags er i gang" in answer.text
    states = {request.id: request.state for request in works.requests()}
    assert states == {closing: "open", retrying: "approved"}

    anna.post("/koersler/gennemse", data=MONTH)
    anna.post(LETTERS)
    for path, data in (("/koersler/gennemse", MONTH), (LETTERS, {})):
        assert anna.post(path, data=data).status_code == 409, path
    works.may_go_on.set()
    assert at_rest(app, CARRY).state == "done"
    assert at_rest(app, RETRY).state == "done"
    assert birte.post(f"/godkendelser/{closing}/godkend").status_code == 303
    assert at_rest(app, CARRY).state == "done"


def test_a_reason_is_not_lost_where_another_closing_is_asked_for(folder, tmp_path):
    app, works = desk_site(folder, tmp_path, [MISSING])
    anna = client_of(app, ANNA)
    anna.post("/koersler/gennemse", data=MONTH)
    at_rest(app, LOOK)
    works.may_go_on.clear()
    anna.post("/koersler/luk", data=MONTH | {"reason": "Randers er lukket"})
    answer = anna.post("/koersler/luk", data=MONTH | {"reason": "Aarhus er åben"})
    assert answer.status_code == 409
    works.may_go_on.set()
    assert at_rest(app, CLOSE).state == "waits"
    answer = anna.post("/koersler/luk", data=MONTH | {"reason": "Aarhus er åben"})
    assert answer.status_code == 409
    assert "Der er bedt om at lukke kørslen" in words_of(answer)
    assert len(works.requests()) == 1


def test_only_a_request_for_the_open_run_that_waits_keeps_others_from_asking(folder, tmp_path):
    app, works = desk_site(folder, tmp_path, [MISSING])
    anna, birte = client_of(app, ANNA), client_of(app, BIRTE)
    old = {"run": 51, "month": "2024-03", "doubts": []}
    ask(works, GuardedAct(Act("run close", old), ["run", "close", "--month", "2024-03"]))
    anna.post("/koersler/gennemse", data=MONTH)
    at_rest(app, LOOK)
    assert "Bed om at lukke kørsel 52" in anna.get("/koersler").text
    anna.post("/koersler/luk", data=MONTH | {"reason": "Randers er lukket"})
    request = at_rest(app, CLOSE).request
    assert "Bed om at lukke kørsel 52" not in anna.get("/koersler").text

    # --- what was approved could not be done: it may be asked for anew
    works.doubts = [MISSING._replace(benefit="SDP-B")]
    birte.post(f"/godkendelser/{request}/godkend")
    assert at_rest(app, CARRY).state == "failed"
    page = anna.get("/koersler").text
    assert "blev godkendt, men kørslen er ikke lukket" in page
    assert "Bed om at lukke kørsel 52" in page
    anna.post("/koersler/luk", data=MONTH | {"reason": "Aarhus er lukket"})
    assert at_rest(app, CLOSE).request not in ("", request)


def test_how_far_work_is_is_asked_without_reading_anything_or_a_record(folder, tmp_path):
    app, works = desk_site(folder, tmp_path)
    anna = client_of(app, ANNA)
    works.may_go_on.clear()
    anna.post(LETTERS)
    anna.post("/koersler/gennemse", data=MONTH)
    assert 'hx-get="/arbejde/afsendelse"' in anna.get(LETTERS).text
    assert 'hx-get="/arbejde/gennemsyn-svar"' in anna.get("/koersler").text
    before = len(works.kept())
    works.letters = works.requests = app.state.parts.lis.scope = None  # to read them is an error
    for name in ("afsendelse", "gennemsyn-svar"):
        answer = anna.get(f"/arbejde/{name}")
        assert answer.status_code == 200
        assert f'id="{name}"' in answer.text
        assert "<main" not in answer.text
        assert "HX-Refresh" not in answer.headers
        english = anna.get(f"/en/arbejde/{name}").text
        assert f'hx-get="/en/arbejde/{name}"' in english
    assert len(works.kept()) == before
    works.may_go_on.set()
    at_rest(app, LOOK)
    at_rest(app, RETRY)
    for name in ("afsendelse", "gennemsyn-svar", "godkendt"):
        assert anna.get(f"/arbejde/{name}").headers["HX-Refresh"] == "true"
    assert anna.get("/arbejde/andet").status_code == 404
    assert client_of(app, visitor("state")).get("/arbejde/gennemsyn-svar").status_code == 200
    assert client_of(app, visitor("state")).get("/arbejde/afsendelse").status_code == 403
    economy = client_of(app, visitor("economy", municipality="751"))
    assert economy.get("/arbejde/gennemsyn-svar").status_code == 403


def test_the_usual_refusals_are_told_in_the_language_of_the_page(folder, tmp_path):
    app, works = desk_site(folder, tmp_path, [MISSING])
    anna, birte = client_of(app, ANNA), client_of(app, BIRTE)
    anna.post("/koersler/luk", data=MONTH | {"reason": "Randers er lukket"})
    request = at_rest(app, CLOSE).request
    act = f"/godkendelser/{request}"

    def refused(client, path, **data):
        answer = client.post(path, data=data)
        assert answer.status_code in (409, 422)
        (alert,) = re.findall(r'role="alert">(.*?)</div></div>', answer.text, re.DOTALL)
        assert 'lang="en"' not in alert, alert
        return html.unescape(alert)

    assert "Det er din egen anmodning" in refused(anna, f"{act}/godkend")
    assert "Du står ikke i filen" in refused(client_of(app, DORTE), f"{act}/godkend")
    assert "ingen anmodning med det id" in refused(birte, f"/godkendelser/{'a' * 16}/godkend")
    assert "Skriv en begrundelse" in refused(birte, f"{act}/afvis", reason="")
    cpr = "010190" + "1234"
    assert "skriv den uden" in refused(birte, f"{act}/afvis", reason=f"se {cpr}")
    for doubt, told in (
        (MISSING._replace(amount_ore=MISSING.amount_ore + 1), "er større nu"),
        (MISSING._replace(benefit="SDP-B"), "noget andet nu, end der blev bedt om"),
    ):
        works.doubts = [doubt]
        birte.post(f"{act}/godkend")
        assert at_rest(app, CARRY).state == "failed"
        assert told in html.unescape(birte.get("/godkendelser").text)
    assert birte.post(f"{act}/afvis", data={"reason": "for tidligt"}).status_code == 303
    assert "afvist eller forældet" in refused(birte, f"{act}/godkend")
    english = anna.get("/en/godkendelser").text
    assert "something else now than was asked for" in english


def test_the_command_line_lists_the_amounts_in_kroner():
    assert _lines("amounts_ore", {"jump 12345678 KTH 2024-04": 1_234_500_05}) == [
        "jump 12345678 KTH 2024-04: 1,234,500.05 kr."
    ]
    assert _lines("messages", 5) == ["messages: 5"]
