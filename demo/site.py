"""`make site`: the pages of `refusion web` over a simulated population, to be looked at.

1. Simulate two years of reports, publish them and settle them on a real Kafka. The runs of the last
   three months are closed on the way: what comes late for them gives corrections.
2. Build the tables of LIS; start a provider of log-ons, which asks for no password, and the site.
3. Say where it is and who one may be. On Ctrl-C all of it ends, and nothing is left.

CPR numbers are fictive. The provider believes everybody: it is for a demonstration alone.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple, NoReturn

import orjson
from rich.console import Console

from demo.cluster import DemoError, Worker, cluster, environment, stop, watching
from demo.companions import Companion
from demo.passage import settled, through
from demo.population import arrived_by, simulated
from demo.program import run_program
from demo.site_folder import write_site_folder
from domain.basics.weeks import month_number, month_text
from streams.devtools.local_kafka import free_ports
from streams.devtools.local_kafka.broker import is_free
from streams.kit.progress import meter
from streams.kit.tuning import tune_garbage_collection
from streams.operations.publish import publish
from streams.operations.runs import Closing, close
from streams.settings import Settings

CITIZENS: Final = 2_000
RUNS: Final = ("2024-10", "2024-11", "2024-12")
"""The months whose runs are closed."""
PLACE: Final = "730"
PORT: Final = 8420
PERSONS: Final = {
    "lis": "Randers, ledelsesinformation: the municipality's figures, no persons",
    "economy": "Randers, økonomi: those, with corrections and the comparison with its books",
    "caseworker": "Randers, sagsbehandler: the figures, and citizens for a purpose",
    "state": "styrelsen: the sums of all municipalities",
    "auditor": "revisor: everything, to read",
}
"""The persons that one may be, by role, and what each sees."""
OPERATORS: Final = {
    "anna": "driften: asks for the closing of a run, and sends dead letters again",
    "bo": "driften: another person, who approves what Anna asks for",
}
"""The operators that one may be: two, as closing a run takes two persons."""
OF_PLACE: Final = frozenset({"lis", "economy", "caseworker"})
LOOKED_AT: Final = "en lille befolkning svinger; set efter og i orden"
"""The reason with which the runs are closed: of few persons many a reporter has a quiet month."""
LOOK_S: Final = 0.5
REFUSION: Final = ("-c", "from streams.cli.main import main; main()")
"""Arguments with which Python is the command `refusion`."""


def main() -> int:
    """Show the site until it is stopped."""
    return run_program(lambda console: present(console, CITIZENS))


class ShownSite(NamedTuple):
    """A site that is up: its address, the programs beside it, and whom one may look for."""

    address: str
    worker: Worker
    companions: list[Companion]
    cpr: str


def present(console: Console, citizens: int) -> NoReturn:
    """Start everything, say where it is, and watch it until the program is stopped."""
    with (
        TemporaryDirectory(prefix="refusion-site-") as folder,
        populated_site(console, Path(folder), citizens) as shown,
    ):
        console.print(welcome(shown.address, shown.cpr), markup=False)
        while True:
            shown.worker.check()
            for companion in shown.companions:
                companion.check()
            time.sleep(LOOK_S)


@contextmanager
def populated_site(console: Console, folder: Path, citizens: int) -> Iterator[ShownSite]:
    """Simulate a population, settle it, close runs, and have the site up for a block."""
    tune_garbage_collection()
    console.print(f"Simulating {citizens:,} fictive citizens through two years …")
    reports = simulated(citizens)
    with cluster(folder) as settings:
        console.print(f"Settling {len(reports):,} reports, and closing {len(RUNS)} runs …")
        with _worker(settings) as worker:
            asyncio.run(_settle(settings, worker, reports))
            stop([worker])
        _build_tables(settings)
        with _worker(settings) as worker, site(settings) as (address, companions):
            yield ShownSite(address, worker, companions, somebody(reports))


@contextmanager
def _worker(settings: Settings) -> Iterator[Worker]:
    worker = Worker(settings, "worker-1")
    try:
        yield worker
    finally:
        worker.kill()


async def _settle(settings: Settings, worker: Worker, lines: Sequence[bytes]) -> None:
    """Publish and settle what had come by the end of each month, and close its run."""
    async with watching(settings) as watch:
        watch.workers.append(worker)
        with meter("reports", len(lines)) as shown:
            done = 0
            for month in RUNS:
                cut = arrived_by(lines, month)
                await publish(lines[done:cut], settings, lambda _: None)
                await settled(watch, shown)
                after = month_text(month_number(month) + 1)
                await _close(settings, month, f"{after}-05T08:00:00Z")
                done = cut
            await publish(lines[done:], settings, lambda _: None)
            await settled(watch, shown)
        await watch.until("the ledger has everything", lambda: through(watch, "projections"))


async def _close(settings: Settings, month: str, closed_at: str) -> None:
    """Close a run as an operator does, who has looked at what holds it."""
    asked = Closing(month, accept=(LOOKED_AT,), at=closed_at)
    outcome = await close(settings, asked, lambda *_: None)
    if not outcome.closed or outcome.unkept:
        raise DemoError(f"the run of {month} was not closed: {outcome.unkept}")


def _build_tables(settings: Settings) -> None:
    """Build the tables of LIS; the worker, which builds them too, is not there meanwhile."""
    done = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, *REFUSION, "lis", "build"],
        env=environment(settings),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise DemoError(f"the tables of LIS were not built: {done.stderr.strip()}")


@contextmanager
def site(settings: Settings) -> Iterator[tuple[str, list[Companion]]]:
    """Start the provider of log-ons and the site; yield the address, and both programs."""
    provider_port, other_port = free_ports(2)
    port = PORT if is_free(PORT) else other_port
    address, issuer = (f"http://localhost:{number}" for number in (port, provider_port))
    folder = settings.state_dir / "site"
    write_site_folder(folder)
    given = environment(settings) | {
        "REFUSION_WEB_URL": address,
        "REFUSION_WEB_FOLDER": str(folder),
        "REFUSION_FOUR_EYES": "1",
        "REFUSION_PERSONS": str(_persons(folder / "persons.yaml")),
        "REFUSION_OIDC_ISSUER": issuer,
        "REFUSION_OIDC_CLIENT_ID": "refusion",
        "REFUSION_OIDC_CLIENT_SECRET": "of-a-demonstration",
    }
    subjects = (*PERSONS, *OPERATORS)
    persons = [part for name in subjects for part in ("--user-claims", json.dumps(claims(name)))]
    with ExitStack() as stack:

        def started(name: str, arguments: Sequence[str], asked: str) -> Companion:
            log = settings.state_dir / f"{name.replace(' ', '-')}.log"
            companion = Companion(name, arguments, log, given)
            stack.callback(companion.end)
            companion.wait_for(asked)
            return companion

        yield (
            address,
            [
                started(
                    "the provider of log-ons",
                    ["-m", "oidc_provider_mock", "--port", str(provider_port), *persons],
                    f"{issuer}/.well-known/openid-configuration",
                ),
                started(
                    "the site",
                    [*REFUSION, "web", "--port", str(port)],
                    f"{address}/healthz",
                ),
            ],
        )


def _persons(path: Path) -> Path:
    """Write the file that says who the operators are, and return it."""
    listed = [{"person": name.capitalize(), "subjects": [name]} for name in OPERATORS]
    path.write_text(json.dumps(listed), "utf-8")
    path.chmod(0o600)
    return path


def claims(name: str) -> dict[str, object]:
    """Return what the provider says of a person: an operator, or the one with a role."""
    role = "operator" if name in OPERATORS else name
    place = {"municipality": [PLACE]} if role in OF_PLACE else {}
    return {"sub": name, "name": name.capitalize(), "roles": [role], **place}


def somebody(lines: Sequence[bytes]) -> str:
    """Return the CPR number, a fictive one, of the citizen of PLACE with most reports."""
    found = Counter(
        report["cpr"]
        for report in map(orjson.loads, lines)
        if report.get("paying_municipality") == PLACE
    )
    return str(found.most_common(1)[0][0])


def welcome(address: str, cpr: str) -> str:
    """Say where the site is, who one may be, and whom one may look for."""
    told = PERSONS | OPERATORS
    persons = "\n".join(f"  {name:<11} {what}" for name, what in told.items())
    return (
        f"\nThe site is at {address}\n\nLog on as one of these; there is no password:\n{persons}\n"
        f"\nAs caseworker or auditor, look for the fictive CPR number {cpr} at {address}/borger.\n"
        "\nCtrl-C stops it and leaves nothing."
    )


if __name__ == "__main__":
    sys.exit(main())
