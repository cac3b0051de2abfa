"""A real Keycloak on the Java of the local Kafka, with a realm of ours.

Keycloak 26.7.3 (Maven Central, Apache-2.0) is fetched once, 177 MB; each start unpacks it into a
folder of its own, with fresh data. The realm is `tests/fixtures/keycloak/refusion-realm.json`:
`@site@` in it is the site's address.
"""

import html
import os
import re
import signal
import subprocess
import time
import zipfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import httpx2

from streams.devtools.local_kafka.broker import WATCH
from streams.devtools.local_kafka.jars import java
from streams.kit.web_settings import OidcClient
from tests.support.maven import maven_file
from tests.support.ports import free_port

KEYCLOAK = "org.keycloak:keycloak-quarkus-dist:26.7.3:zip"
SHA256 = "27a6535553c3cdcd083872ba40629efafb3475e3b758e0c6f691395561dd0f1f"
REALM = Path(__file__).parents[1] / "fixtures" / "keycloak" / "refusion-realm.json"
START_S = 600
OURS = "refusion-secret"
HEAP = "-Xms64m -Xmx512m"
QUICK_START = "-XX:TieredStopAtLevel=1"
"""With it a start takes half of the processor time, as that of a local Kafka does."""


class Keycloak(NamedTuple):
    """A Keycloak that runs; `site` is the address that its realm knows."""

    port: int
    site: str

    @property
    def issuer(self):
        return f"http://localhost:{self.port}/realms/refusion"

    def client(self, secret: str = OURS):
        """Return what the site has to know of it."""
        return OidcClient(self.issuer, "refusion", secret)

    def token(self, program):
        """Return an access token of a program, by client credentials."""
        answer = httpx2.post(
            f"{self.issuer}/protocol/openid-connect/token",
            data={
                "grant_type": "client_credentials",
                "client_id": program,
                "client_secret": f"{program}-secret",
            },
        )
        assert answer.status_code == 200, answer.text
        return answer.json()["access_token"]

    def sent_back(self, address, user):
        """Log on at the page of an address, as a browser does; return where it leads back to."""
        page = httpx2.get(address, timeout=60)
        assert page.status_code == 200, page.text
        form = re.search(r'<form[^>]*id="kc-form-login"[^>]*action="([^"]+)"', page.text)
        assert form, page.text
        # its cookies are for TLS; a browser sends them to localhost all the same, a library not
        cookies = [each.partition(";")[0] for each in page.headers.get_list("set-cookie")]
        answer = httpx2.post(
            html.unescape(form[1]),
            data={"username": user, "password": f"{user}-password"},
            headers={"Cookie": "; ".join(cookies)},
            timeout=60,
        )
        assert answer.status_code == 302, answer.text
        return answer.headers["location"]


@contextmanager
def open_keycloak(folder, site_port):
    """Run Keycloak for the length of a block. It dies with this process, too."""
    with zipfile.ZipFile(maven_file(KEYCLOAK, SHA256)) as archive:
        archive.extractall(folder)
    (home,) = folder.glob("keycloak-*")
    site = f"http://localhost:{site_port}"
    imported = home / "data" / "import" / "refusion-realm.json"
    imported.parent.mkdir(parents=True)
    imported.write_text(REALM.read_text("utf-8").replace("@site@", site), "utf-8")
    keycloak, log = Keycloak(free_port(), site), folder / "keycloak.log"
    options = ["--import-realm", "--http-host=127.0.0.1", f"--http-port={keycloak.port}"]
    given = {name: text for name, text in os.environ.items() if not name.startswith("KC_")}
    with log.open("wb") as said:
        process = subprocess.Popen(
            ["/bin/bash", home / "bin" / "kc.sh", "start-dev", *options],
            env=given
            | {
                "JAVA_HOME": str(java().parents[1]),
                "JAVA_OPTS_KC_HEAP": HEAP,
                "JAVA_OPTS_APPEND": QUICK_START,
            },
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            process_group=0,
        )
    watcher = subprocess.Popen(  # kills all of its group when we are gone, however
        ["/bin/sh", "-c", WATCH, "sh", f"-{process.pid}", ""],
        stdin=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        process_group=0,
    )
    try:
        _wait(keycloak, process, log)
        yield keycloak
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(60)
        watcher.kill()
        watcher.communicate()


def _wait(keycloak, process, log):
    deadline = time.monotonic() + START_S
    while True:
        with suppress(httpx2.HTTPError):
            address = f"{keycloak.issuer}/.well-known/openid-configuration"
            if httpx2.get(address, timeout=10).status_code == 200:
                return
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-20:])
        assert process.poll() is None, f"Keycloak ended; its last words:\n{tail}"
        assert time.monotonic() < deadline, f"Keycloak does not answer; its last words:\n{tail}"
        time.sleep(0.5)
