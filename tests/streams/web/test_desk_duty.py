"""The operator's start page: what needs attention, what is new, and courses of sizes and lags."""

import asyncio
import re
from datetime import UTC, datetime, timedelta

import pytest

from streams.acts.acts import Act
from streams.acts.four_eyes import GuardedAct, permission
from streams.kit.last_outcomes import BACKUP_VERIFY, RUN_CLOSE, keep_outcome
from streams.kit.operating_user import OperatingUser, acting_as
from streams.operations.kept_differences import keep_difference
from streams.web.board import Board
from streams.web.desk import duty_pages
from streams.web.desk.duty_pages import standing
from streams.web.samples import MOST_POINTS, NAME, SampleBook, SamplePoint, drawn
from streams.web.seen import ClosedRun, Seen
from tests.support.desk_site import ANNA, REPLAYED, desk_site
from tests.support.site_client import client_of, visitor

NOW = datetime.now(UTC).replace(microsecond=0)
MINUTE = timedelta(minutes=1)


def filled(samples, minutes=180, waiting=lambda at: at):
    """Keep samples of some hours, one in ten minutes."""
    for at in range(minutes, -1, -10):
        samples._last = None
        values = {"waiting/intake": waiting(at), "records/reports": 1000 - at, "disk/state": 41}
        samples.keep(NOW - at * MINUTE, values)


@pytest.fixture
def site(folder, tmp_path):
    app, works = desk_site(folder, tmp_path)
    board = app.state.parts.board = Board(works.settings, samples=SampleBook(tmp_path / "state"))
    board.seen = Seen(NOW, ClosedRun(51, "2024-03", NOW), {"intake": 3}, {"reports": 1000})
    board.unknown_since = None
    return app, works


def test_a_quiet_system_says_so(site):
    app, works = site
    works.letters = lambda _wanted: None
    page = client_of(app, ANNA).get("/drift/vagt").text
    assert "Intet kræver opmærksomhed" in page
    assert "Der er endnu ikke set noget" in page
    assert "Kørsel 51 (marts 2024) er lukket" in page


def test_everything_that_needs_attention_is_named_and_leads_on(site):
    app, works = site
    state = works.settings.state_dir
    app.state.parts.board.unknown_since = NOW
    filled(app.state.parts.board.samples, waiting=lambda _at: 7)
    keep_outcome(state, RUN_CLOSE, {"fine": False, "run": 52})
    keep_outcome(state, "verify", {"fine": False})
    keep_difference(state, REPLAYED)
    guarded = GuardedAct(Act("opening load", {}), ["opening", "load"])
    with acting_as(OperatingUser("anna", 1001, "ops1")), pytest.raises(Exception, match="waits"):
        asyncio.run(permission(works.settings, guarded, works.topic.open))
    page = client_of(app, ANNA).get("/drift/vagt").text
    attention, _, rest = page.partition("Siden i går")
    for words, link in {
        "Hvor langt trinene er, kan ikke ses": "/drift",
        "Modtagelse: poster har ventet i en time": "/drift",
        "1 anmodning venter på en anden person": "/godkendelser",
        "Kørsel 52 blev holdt tilbage": "/koersler",
        "ved en fejl i programmet: 1": "/drift/doede-breve?dage=1",
    }.items():
        assert re.search(f'href="{re.escape(link)}">[^<]*{words}', attention), words
    assert "Seneste revision af posterne: der blev fundet fejl" in attention
    assert "Journalen: 180 poster flere" in rest
    assert "Afviste poster det seneste døgn: 2" in rest
    english = client_of(app, visitor("auditor")).get("/en/drift/vagt").text
    assert "Intake: records have waited for an hour" in english


@pytest.mark.parametrize(("result", "told"), [("whole", "Hel"), ("broken", "Ikke hel"),
                         ("unsigned", "Ingen underskrift er kontrolleret")])  # fmt: skip
def test_the_last_backup_and_the_last_verified_one_are_told_apart(site, result, told):
    app, works = site
    state, place = works.settings.operations_dir, "s3://kopi/journal"
    keep_outcome(state, "backup", {"fine": True, "to": place})
    outcome = {"fine": result == "whole", "result": result, "from": f"{place}-2"}
    keep_outcome(state, BACKUP_VERIFY, outcome)
    for who, path in ((ANNA, "/drift/vagt"), (visitor("auditor"), "/revision")):
        page = re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", client_of(app, who).get(path).text))
        made, _, proved = page.partition("Seneste efterprøvede sikkerhedskopi " + told)
        assert re.search(rf"Seneste sikkerhedskopi I orden ?,? .* kl\. [0-9.]+ ?,? {place} ", made)
        assert re.match(rf" ?,? [0-9]+\. \w+ 20.* kl\. [0-9.]+ ?,? {place}-2 ", proved), path
    attention, *_ = client_of(app, ANNA).get("/drift/vagt").text.partition("Siden i går")
    assert ("Seneste efterprøvede sikkerhedskopi" in attention) == (result != "whole")
    assert ("Giv den REFUSION_SEAL_KEY" in attention) == (result == "unsigned")


def test_each_course_has_a_title_its_figures_in_words_and_as_a_table(site):
    app, _ = site
    filled(app.state.parts.board.samples)
    page = client_of(app, ANNA).get("/drift/vagt").text
    assert "Modtagelse: 0 poster venter" in page
    assert "Journalen: 1.000 poster" in page
    assert "41 % brugt" in page
    assert page.count('role="img"') == page.count("<polyline") == 3
    assert re.search(r"Fra 180 \([^)]*\) til 0; mest 180 \(", page)
    for label in re.findall(r'<svg[^>]*aria-labelledby="([^"]*)"', page):
        assert all(f'id="{name}"' in page for name in label.split())
    assert client_of(app, ANNA).get("/drift/vagt?dage=31").status_code == 200


@pytest.mark.parametrize("days", [1, 7, 31])
@pytest.mark.parametrize(("waiting", "stands"), [(lambda _at: 7, True),
                                                 (lambda at: at // 10 % 2, False)])  # fmt: skip
def test_what_stands_does_not_depend_on_how_long_the_courses_are(site, days, waiting, stands):
    app, _ = site
    filled(app.state.parts.board.samples, waiting=waiting)
    page = client_of(app, ANNA).get(f"/drift/vagt?dage={days}").text
    assert ("Modtagelse: poster har ventet i en time" in page) == stands
    assert "Journalen: 180 poster flere" in page


def test_the_start_page_reads_files_in_no_thread_of_the_event_loop(site, monkeypatch):
    app, _ = site
    read = []

    def disks(_settings):
        with pytest.raises(RuntimeError):
            asyncio.get_running_loop()
        read.append(1)
        return []

    monkeypatch.setattr(duty_pages, "disks", disks)
    assert client_of(app, ANNA).get("/drift/vagt").status_code == 200
    assert read


def test_who_does_not_run_the_system_does_not_see_it(site):
    app, _ = site
    for who in (visitor("state"), visitor("economy", municipality="751")):
        client = client_of(app, who)
        assert client.get("/drift/vagt").status_code == 403
        assert "/drift/vagt" not in client.get("/drift").text
    assert "/drift/vagt" in client_of(app, ANNA).get("/drift").text


# --- samples --------------------------------------------------------------------------------------


def test_samples_are_one_in_ten_minutes_and_of_the_last_month(tmp_path):
    samples = SampleBook(tmp_path)
    for at in (40 * 24 * 60, 30, 25, 20):
        samples.keep(NOW - at * MINUTE, {"waiting/intake": at})
    points = samples.seen(NOW - timedelta(days=60))["waiting/intake"]
    assert [point.value for point in points] == [30, 20]
    again = SampleBook(tmp_path)
    again.keep(NOW - 25 * MINUTE, {"waiting/intake": 99})
    assert len(again.seen(NOW - timedelta(hours=1))["waiting/intake"]) == 2


def test_a_course_has_no_more_points_than_a_picture_and_keeps_the_peaks(tmp_path):
    samples = SampleBook(tmp_path)
    filled(samples, minutes=60 * 24 * 3, waiting=lambda at: 900 if at == 1440 else 1)
    since = NOW - timedelta(days=3)
    points = drawn(samples.seen(since)["waiting/intake"], since, NOW)
    assert len(points) <= MOST_POINTS + 1
    assert max(point.value for point in points) == 900


def test_where_samples_cannot_be_kept_or_read_the_pages_live(tmp_path, caplog):
    (tmp_path / NAME).mkdir()
    samples = SampleBook(tmp_path)
    samples.keep(NOW, {"waiting/intake": 1})
    assert "samples of sizes and lags cannot be kept" in caplog.text
    assert samples.seen(NOW - timedelta(days=1)) == {}


def test_the_log_says_once_that_samples_cannot_be_kept_until_they_can_again(tmp_path, caplog):
    samples, file = SampleBook(tmp_path), tmp_path / NAME
    told = []
    for number, is_broken in enumerate((False, True, True, False, True)):
        if is_broken and file.is_file():
            file.unlink()
            file.mkdir()
        elif not is_broken and file.is_dir():
            file.rmdir()
        samples.keep(NOW + 10 * number * MINUTE, {"waiting/intake": 1})
        told.append(caplog.text.count("cannot be kept"))
    assert told == [0, 1, 1, 1, 2]


def test_records_that_come_and_go_do_not_stand():
    points = [SamplePoint(NOW - at * MINUTE, value) for at, value in ((50, 5), (30, 0), (10, 5))]
    assert standing({"waiting/intake": points}, NOW) == []
    assert standing({"waiting/intake": [point._replace(value=1) for point in points]}, NOW) == [
        "intake"
    ]
    assert standing({"waiting/intake": points[2:]}, NOW) == []
