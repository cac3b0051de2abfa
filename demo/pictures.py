"""`make pictures`: the pictures of the guides, made anew from the site over a simulated population.

    python -m demo.pictures streams/web/static/guides

The site is that of `make site`, with fewer citizens, all of them fictive. A browser logs on as the
persons of the guides and takes a picture of each page. A picture over LARGEST_BYTES is an error:
pages must come quickly over a town hall's network too.
"""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

import httpx2
from playwright.sync_api import Browser, Page, sync_playwright
from rich.console import Console

from demo.cluster import DemoError
from demo.program import run_program
from demo.site import LOOKED_AT, populated_site
from streams.web.sessions import COOKIE

CITIZENS: Final = 300
LARGEST_BYTES: Final = 150_000
WIDTH, HEIGHT = 900, 720
BROWSERS: Final = ("chromium", "chromium-browser")
PURPOSE: Final = "sag 2026-17"
PATIENCE_MS: Final = 120_000
"""Milliseconds for work beside the pages, on a machine that is busy."""


def _nothing(_page: Page, _cpr: str) -> None:
    """Take the page as it comes."""


def _look_up(page: Page, cpr: str) -> None:
    """Look a fictive citizen up."""
    page.fill("#cpr", cpr)
    page.fill("#purpose", PURPOSE)
    page.get_by_role("button", name="Vis forløbet").click()
    page.wait_for_url("**/borger/*")
    page.wait_for_load_state("networkidle")  # the explanation comes after the strip
    _show(page, "#frem")


def _look_at_run(page: Page, _cpr: str) -> None:
    """Have the open run looked at, and wait for what holds it."""
    page.get_by_role("button", name="Gennemse").click()
    page.get_by_role("button", name="Bed om at lukke").wait_for(timeout=PATIENCE_MS)
    _show(page, "#gennemsyn")


def _ask_to_close(page: Page, _cpr: str) -> None:
    """Ask for the closing of the run that was looked at."""
    page.fill("#reason", LOOKED_AT)
    page.get_by_role("button", name="Bed om at lukke").click()
    page.get_by_text("venter på godkendelse").first.wait_for(timeout=PATIENCE_MS)


def _table(page: Page, _cpr: str) -> None:
    """Show the heading of the table."""
    _show(page, "main h2")


def _show(page: Page, place: str) -> None:
    """Bring a place of the page to the top of the picture."""
    page.locator(place).first.evaluate("place => place.scrollIntoView()")


class Picture(NamedTuple):
    """A picture: its name, who looks, at which page, and what is done there first.

    One without a name is not taken: something is done for the pictures after it.
    """

    name: str
    person: str
    path: str
    act: Callable[[Page, str], None] = _nothing


PICTURES: Final = (
    Picture("sagsbehandler-start", "caseworker", "/lis"),
    Picture("sagsbehandler-borger", "caseworker", "/borger", _look_up),
    Picture("controller-start", "economy", "/lis"),
    Picture("controller-korrektioner", "economy", "/lis/korrektioner", _table),
    Picture("controller-adgang", "economy", "/adgang/gennemgang", _table),
    Picture("drift-koersler", "anna", "/koersler", _look_at_run),
    Picture("", "anna", "/koersler", _ask_to_close),
    Picture("drift-godkendelser", "bo", "/godkendelser"),
)


def main() -> int:
    """Make the pictures in the folder that is named."""
    folder = Path(sys.argv[1])
    return run_program(lambda console: take(console, folder))


def take(console: Console, folder: Path) -> int:
    """Start the site, and take all pictures."""
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        raise DemoError("there is no Chromium; install it with `apt-get install chromium`")
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="refusion-pictures-") as scratch:
        site = populated_site(console, Path(scratch), CITIZENS)
        with site as shown, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
            for picture in PICTURES:
                size = _taken(browser, shown.address, shown.cpr, picture, folder)
                console.print(f"{picture.name or picture.path}: {size:,} bytes")
            browser.close()
    return 0


def _taken(browser: Browser, address: str, cpr: str, picture: Picture, folder: Path) -> int:
    """Take one picture, and return its size. Raises DemoError where it is too large."""
    viewport = {"width": WIDTH, "height": HEIGHT}
    context = browser.new_context(locale="da-DK", viewport=viewport)  # type: ignore[arg-type]
    cookie = {"name": COOKIE, "value": _session(address, picture.person), "path": "/"}
    kept = {"domain": "localhost", "secure": True, "httpOnly": True, "sameSite": "Lax"}
    context.add_cookies([cookie | kept])  # type: ignore[list-item]
    page = context.new_page()
    page.goto(address + picture.path)
    picture.act(page, cpr)
    page.wait_for_load_state("networkidle")
    path = folder / f"{picture.name}.png"
    content = page.screenshot()
    context.close()
    size = len(content)
    if size > LARGEST_BYTES:
        raise DemoError(f"{path} has {size:,} bytes; make it smaller than {LARGEST_BYTES:,}")
    if picture.name:
        path.write_bytes(content)
    return size


def _session(address: str, person: str) -> str:
    """Log on at the provider of the demonstration, and return the session of the site."""
    with httpx2.Client(base_url=address) as client:
        begun = client.get("/log-paa?til=/")
        answered = httpx2.post(begun.headers["location"], data={"sub": person})
        attempt = {"Cookie": begun.headers["set-cookie"].partition(";")[0]}
        answer = httpx2.get(answered.headers["location"], headers=attempt)
    for each in answer.headers.get_list("set-cookie"):
        name, _, value = each.partition(";")[0].partition("=")
        if name == COOKIE:
            return value
    raise DemoError(f"{person} could not log on to the site")


if __name__ == "__main__":
    sys.exit(main())
