"""The whole site at work: news, runs, requests, letters, citizens, and somebody who looks."""

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest

from streams.operations.kept_differences import keep_difference
from streams.web import citizen_desk
from streams.web.desk.run_routes import CLOSE, LOOK
from streams.web.folder import Folder
from streams.web.lanes import Lane, Lanes
from streams.web.limits import Limiter
from streams.web.samples import SampleBook
from tests.support.citizen_site import (
    citizen_of,
    citizen_site,
    evidence_of,
    some_lives,
    write_ledger,
)
from tests.support.desk_site import ANNA, ANSWERED, MISSING, REPLAYED, at_rest, desk_site
from tests.support.site_client import client_of
from tests.support.site_visits import NEWS

MAIL = {
    "REFUSION_MAIL_SERVER": "127.0.0.1:1",
    "REFUSION_MAIL_FROM": "site@example.org",
    "REFUSION_MAIL_TO": "help@example.org",
}
"""A mail server that nobody asks."""


def folder_of_operators(place):
    """Write what operators write for the public pages."""
    (place / "news").mkdir(parents=True)
    files = {
        f"news/{NEWS}.markdown": "# Ny sats\n\nFra **januar**, se [loven](/dokumenter/law).\n",
        "operation.yaml": "windows:\n- {from: 2099-01-01T20:00:00Z, to: 2099-01-01T22:00:00Z,"
        " text: Ny version}\nfaults:\n- {since: 2026-11-01, text: En fejl., state: Rettes}\n",
        "contacts.yaml": '"730":\n- {name: Åse, phone: "12345678", mail: aase@example.org}\n',
        "calendar.yaml": "- {date: 2099-01-15, text: Kørsel lukkes}\n",
        "documents.yaml": "- {title: Håndbog, address: /docs/haandbog, text: En hel bog}\n",
        "accessibility.markdown": "## Status\n\nDelvis.\n",
    }
    for name, text in files.items():
        (place / name).write_text(text, "utf-8")
    return Folder(place)


def desk_at_work(folder, place):
    """Make a site whose desk has something of everything."""
    app, works = desk_site(folder, place, [MISSING], **MAIL)
    parts = app.state.parts
    parts.folder = folder_of_operators(place / "web")
    parts.limits = parts.limits._replace(begun=Limiter(0, 600))
    samples = parts.board.samples = SampleBook(works.settings.state_dir)
    now = datetime.now(UTC)
    for at in (90, 60, 30):
        samples.keep(now - timedelta(minutes=at), {"waiting/intake": at, "records/reports": 99})
    for kept in (REPLAYED, ANSWERED):
        keep_difference(works.settings.state_dir, kept)
    anna = client_of(app, ANNA)
    assert anna.post("/koersler/gennemse", data={"month": "2024-04"}).status_code == 303
    at_rest(app, LOOK)
    asked = {"month": "2024-04", "reason": "Randers er lukket"}
    assert anna.post("/koersler/luk", data=asked).status_code == 303
    at_rest(app, CLOSE)
    works.may_go_on.clear()
    assert anna.post("/drift/doede-breve", data={"place": "3/17"}).status_code == 303
    return app, works


@contextmanager
def citizens_at_work(place):
    """Make a site with the citizens of some lives, and the lives; reports come from memory.

    It has no tables of LIS, and so many ask the whole ledger that nobody else may.
    """
    lives = [reports for reports in some_lives(5, ("the_window", "resets")) if reports]
    write_ledger(place / "ledger", lives)
    by_citizen = {citizen_of(reports): reports for reports in lives}

    def read(settings, _laws, citizen, **_):
        return evidence_of(settings, by_citizen[citizen])

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(citizen_desk, "live_evidence", read)
        patched.setattr(citizen_desk.CitizenDesk, "has_journal", property(lambda _: True))
        yield citizen_site(place, lanes=Lanes(ledger=Lane(1, -1))), lives
