"""`make site`: everybody who is named can log on and sees what is said; Ctrl-C leaves nothing."""

import os
import re
import signal
import subprocess
import sys

import httpx2
import pytest

from demo.site import OF_PLACE, OPERATORS, PERSONS, PLACE, _persons, claims, site, welcome
from demo.site_folder import write_site_folder
from streams.acts.persons import read_persons
from streams.settings import Settings
from streams.web.folder import Folder
from streams.web.grants import GrantMap, visitor_of_claims
from streams.web.sessions import COOKIE
from streams.web.visitors import Role
from tests.demo.test_demo import descendants
from tests.streams.cli.test_signals import is_alive, until
from tests.support.lis_site import lis_environment, lis_folder
from tests.support.places import ROOT
from tests.support.sizes import sized


@pytest.mark.parametrize("role", PERSONS)
def test_each_person_has_the_role_and_place_that_are_told(role):
    visitor = visitor_of_claims(claims(role), GrantMap())
    assert visitor.roles == {Role(role)}
    assert visitor.municipality == (PLACE if role in OF_PLACE else None)
    assert f"  {role} " in welcome("http://localhost:1", "6101801234")


def test_there_are_two_operators_who_are_two_persons(tmp_path):
    assert len(OPERATORS) == 2
    for name in OPERATORS:
        who = visitor_of_claims(claims(name), GrantMap())
        assert (who.subject, who.roles) == (name, frozenset({Role.OPERATOR}))
        assert f"  {name} " in welcome("http://localhost:1", "6101801234")
    known = read_persons(_persons(tmp_path / "persons.yaml"))
    assert len({known.of_subject(name) for name in OPERATORS} - {None}) == 2


def test_what_operators_have_written_is_shown(tmp_path):
    write_site_folder(tmp_path / "site")
    folder = Folder(tmp_path / "site")
    assert [len(folder.news()), len(folder.windows()), len(folder.faults())] == [1, 1, 1]
    assert len(folder.calendar()) == 1
    assert PLACE in folder.contacts()


def logged_on(address, subject):
    """Log on at the provider, and return a client that has the session's cookie."""
    client = httpx2.Client(base_url=address)
    begun = client.get("/log-paa?til=/lis")
    back = httpx2.post(begun.headers["location"], data={"sub": subject}).headers["location"]
    attempt = {"Cookie": begun.headers["set-cookie"].partition(";")[0]}
    answer = httpx2.get(back, headers=attempt)
    assert (answer.status_code, answer.headers["location"]) == (303, "/lis")
    (session,) = [
        each.partition(";")[0]
        for each in answer.headers.get_list("set-cookie")
        if each.startswith(f"{COOKIE}=")
    ]
    client.headers["Cookie"] = session
    return client


@pytest.mark.long
def test_the_site_and_its_provider_let_each_person_in_and_end(tmp_path):
    lis_folder(tmp_path)
    state = tmp_path / "state_dir"
    state.mkdir()
    with site(Settings.load(lis_environment(tmp_path))) as (address, companions):
        for role in PERSONS:
            client = logged_on(address, role)
            assert client.get("/lis").status_code == 200, role
            may_see_corrections = client.get("/lis/korrektioner").status_code == 200
            assert may_see_corrections == (role not in {"lis", "caseworker"}), role
            client.close()
        for companion in companions:
            companion.check()
    assert [companion.process.poll() is None for companion in companions] == [False, False]


STARTER = """
import sys, time
from pathlib import Path
from demo.companions import Companion
started = Companion("it", ["-c", "import time; time.sleep(600)"], Path(sys.argv[1]), {})
print(started.process.pid, flush=True)
time.sleep(600)
"""


@pytest.mark.long
def test_a_program_beside_us_ends_with_us_however_we_end(tmp_path):
    starter = subprocess.Popen(
        [sys.executable, "-c", STARTER, str(tmp_path / "log")], cwd=ROOT, stdout=subprocess.PIPE
    )
    assert starter.stdout is not None
    companion = int(starter.stdout.readline())
    assert is_alive(companion)
    starter.kill()
    starter.communicate()
    until(lambda: not is_alive(companion), 30)


CITIZENS = sized(400, 2_000)
"""At night as many as `make site` has; fewer take a third of the time."""
SHOWN = f"from demo import site; site.CITIZENS = {CITIZENS}; raise SystemExit(site.main())"


@pytest.mark.long
def test_make_site_shows_three_closed_runs_and_leaves_nothing(tmp_path):
    given = {name: value for name, value in os.environ.items() if not name.startswith("REFUSION_")}
    process = subprocess.Popen(
        [sys.executable, "-c", SHOWN],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=given | {"TMPDIR": str(tmp_path)},
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    told = ""
    for line in process.stdout:
        told += line
        if line.startswith("Ctrl-C"):
            break
    address = re.search(r"The site is at (http://localhost:\d+)", told)
    assert address, told + process.stderr.read()
    economy = logged_on(address[1], "economy")
    runs = economy.get("/lis/beloeb.json?month=2024-12")
    assert runs.status_code == 200
    shown = economy.get("/lis/beloeb").text
    assert all(f'<option value="{run}"' in shown for run in (58, 59, 60))
    assert "Tre kørsler er lukket" in economy.get("/").text
    assert logged_on(address[1], "auditor").get("/lis/landet").status_code == 200
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(60) == 128 + signal.SIGINT
    assert process.stderr.read().splitlines()[-1] == "stopped, nothing is left behind"
    assert list(tmp_path.iterdir()) == []
    until(lambda: not is_alive(process.pid) and descendants(process.pid) == [], 10)
    process.stdout.close()
    process.stderr.close()
