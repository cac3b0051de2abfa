"""The auditor's package on the site: made beside the pages, recorded before it is sent."""

import io
import zipfile

import pytest

from streams.web.desk.package_routes import PACKAGE
from streams.web.desk.works import ZippedPackage
from tests.support.desk_site import MemoryWorks, at_rest, desk_site
from tests.support.package_world import RUN, PackageWorld
from tests.support.site_client import client_of, visitor

AUDITOR = visitor("auditor", subject="revisor")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return PackageWorld(tmp_path_factory.mktemp("package"))


class PackageWorks(MemoryWorks):
    """Makes packages of a small system in memory."""

    world: PackageWorld

    def package(self, run, draw, show):
        show(5, 10)
        return self.zipped(self.world.make(run=run, seed=draw))


def test_an_auditor_has_it_made_and_gets_it_recorded_first(folder, tmp_path, world):
    app, works = desk_site(folder, tmp_path, works=PackageWorks)
    works.world = world
    client = client_of(app, AUDITOR)
    assert client.get("/revision/pakke.zip").status_code == 404
    answer = client.post("/revision/pakke", data={"run": RUN, "traek": 3})
    assert (answer.status_code, answer.headers["location"]) == (303, "/revision#pakke")
    made = at_rest(app, PACKAGE).outcome
    assert isinstance(made, ZippedPackage)
    page = client.get("/revision").text
    assert "Pakken for kørsel 49 er klar" in page
    assert made.sha256 in page
    sent = client.get("/revision/pakke.zip")
    assert sent.headers["cache-control"] == "no-store"
    assert "LAES-MIG.txt" in zipfile.ZipFile(io.BytesIO(sent.content)).namelist()
    told = [each["scope"] for each in works.kept() if each["act"] == "site audit package"]
    assert [(each["run"], each["form"]) for each in told] == [(RUN, "made"), (RUN, "sent")]
    assert told[0]["visitor"]["subject"] == "revisor"


def test_without_a_record_nothing_is_made_or_sent(folder, tmp_path, world):
    app, works = desk_site(folder, tmp_path, works=PackageWorks)
    works.world = world
    client = client_of(app, AUDITOR)
    client.post("/revision/pakke", data={"run": RUN})
    at_rest(app, PACKAGE)
    works.topic.failing = OSError()
    assert client.get("/revision/pakke.zip").status_code == 503
    assert client.post("/revision/pakke", data={"run": RUN}).status_code == 503


def test_a_run_that_is_not_there_is_said_on_the_page(folder, tmp_path, world):
    app, works = desk_site(folder, tmp_path, works=PackageWorks)
    works.world = world
    client = client_of(app, AUDITOR)
    client.post("/revision/pakke", data={"run": 60})
    assert at_rest(app, PACKAGE).state == "failed"
    assert "no marker of run 60" in client.get("/revision").text
    assert client.get("/revision/pakke.zip").status_code == 404
