"""The PDF of each view of LIS can be read aloud: veraPDF finds it to be PDF/UA-1.

veraPDF 1.28.2 (Maven Central, MPL-2.0 or GPL-3.0) runs on the Java of the local Kafka.
"""

import re
import subprocess
from functools import partial

import pytest
import typst

from projections.lis.money_lines import LINES
from projections.lis.views import VIEWS
from streams.devtools.local_kafka import QUICK_START
from streams.devtools.local_kafka.jars import java
from streams.web import citizen_desk
from streams.web.lis_pdf import FONTS
from tests.support.citizen_site import citizen_site, evidence_of, some_lives, write_ledger
from tests.support.lis_site import OWN
from tests.support.maven import maven_file
from tests.support.site_client import client_of, visitor

VERAPDF = "org.verapdf.apps:greenfield-apps:1.28.2"
SHA256 = "687d4d8bcfec48c9f7e931cf78ed061f1eeccfba55d4cdc000ba9b4d8aa46ce6"
MAIN = "org.verapdf.apps.GreenfieldCliWrapper"
BOOKS = "afstemning"
NAMING = {name for name, view in VIEWS.items() if view.names_citizens}
OF_ONE_CITIZEN = {"borger"}
"""It is asked for with a token that another page gives."""
SHOWN = [name for name in (*VIEWS, LINES) if name != BOOKS]


def verdicts(folder):
    """Let veraPDF look at the files of a folder: PASS or FAIL by name."""
    jar = maven_file(VERAPDF, SHA256)
    files = sorted(map(str, folder.glob("*.pdf")))
    done = subprocess.run(
        [java(), *QUICK_START, "-cp", jar, MAIN, "-f", "ua1", "--format", "text", *files],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    found = re.findall(r"^(PASS|FAIL) .*/(.*)\.pdf ua1$", done.stdout, re.MULTILINE)
    assert len(found) == len(files), done.stdout + done.stderr
    return {name: verdict for verdict, name in found}


def question(view):
    """The query of a view for which there is an answer."""
    has_none = view in VIEWS and "municipality" in VIEWS[view].not_by
    return "" if has_none else f"?municipality={OWN}"


@pytest.mark.long
def test_the_pdf_of_each_view_can_be_read_aloud_in_both_languages(app, tmp_path):
    client = client_of(app, visitor("auditor"))
    given = set()
    for view in SHOWN:
        if view in NAMING:
            client.post(f"/lis/{view}{question(view)}", data={"purpose": "sag 12/2024"})
        for language in ("", "/en"):
            answer = client.get(f"{language}/lis/{view}.pdf{question(view)}")
            if answer.status_code == 200:
                name = f"{view}{language.replace('/', '-')}"
                (tmp_path / f"{name}.pdf").write_bytes(answer.content)
                given.add(view)
    assert set(SHOWN) - given <= OF_ONE_CITIZEN
    assert set(verdicts(tmp_path).values()) == {"PASS"}


def _evidence(reports, settings, _laws, _citizen, **_):
    return evidence_of(settings, reports)


def _always(value, _desk):
    return value


@pytest.mark.long
def test_the_pdf_of_a_citizen_can_be_read_aloud_in_both_languages(tmp_path, monkeypatch):
    """With the reports of the journal, a week of them, and without."""
    (lives,) = ([reports for reports in some_lives(5, ("the_window",)) if reports],)
    write_ledger(tmp_path / "ledger", lives)
    client = client_of(citizen_site(tmp_path), visitor("auditor"))
    given = {"cpr": lives[0][0]["cpr"], "purpose": "sag 12/2024"}
    (tmp_path / "pdf").mkdir()
    read = partial(_evidence, lives[0])
    monkeypatch.setattr(citizen_desk, "live_evidence", read)
    for has_journal in (False, True):
        seen = property(partial(_always, has_journal))
        monkeypatch.setattr(citizen_desk.CitizenDesk, "has_journal", seen)
        for language in ("", "/en"):
            address = client.post(f"{language}/borger", data=given).headers["location"]
            for name, query in (("life", ""), ("week", "?uge=2016-03-01")):
                made = client.get(f"{address}.pdf{query}")
                if query and not has_journal:
                    assert made.status_code == 503
                    continue
                assert made.status_code == 200
                file = f"{name}-{has_journal}{language.replace('/', '-')}.pdf"
                (tmp_path / "pdf" / file).write_bytes(made.content)
    found = verdicts(tmp_path / "pdf")
    assert len(found) == 6
    assert set(found.values()) == {"PASS"}


@pytest.mark.long
def test_a_pdf_without_a_title_and_tags_is_found(tmp_path):
    source = tmp_path / "plain.typ"
    source.write_text("= Et dokument\nTekst.")
    made = typst.compile(str(source), format="pdf", font_paths=[str(FONTS)], pdf_standards=["1.7"])
    (tmp_path / "plain.pdf").write_bytes(made)
    assert verdicts(tmp_path) == {"plain": "FAIL"}
