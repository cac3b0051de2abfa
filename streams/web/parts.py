"""The parts that all routes of a site share, and how a route comes to them."""

from dataclasses import dataclass, field
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse

from streams.ledger.kept_open import KeptOpen
from streams.settings import Settings
from streams.web.access import AccessBook
from streams.web.attempts import Attempts
from streams.web.board import Board
from streams.web.citizen_desk import CitizenDesk
from streams.web.desk.chores import Chores
from streams.web.desk.works import DeskWorks
from streams.web.folder import Folder
from streams.web.grants import GrantMap, read_grants
from streams.web.kept_pages import MOST_BYTES_OF_CITIZENS, KeptPages
from streams.web.lanes import Lanes
from streams.web.limits import SiteLimits
from streams.web.lis_desk import LisDesk
from streams.web.lis_typesetter import Typesetter
from streams.web.news_mail import NewsMail
from streams.web.pages import Pages
from streams.web.provider import OidcProvider
from streams.web.samples import SampleBook
from streams.web.seen import KeptSeen
from streams.web.sessions import Sessions
from streams.web.status_mail import StatusMail


@dataclass
class Parts:
    """The parts of one site; `url` is its address as visitors see it."""

    settings: Settings
    url: str
    access: AccessBook
    board: Board
    folder: Folder
    provider: OidcProvider | None = None
    grants: GrantMap = field(default_factory=GrantMap)
    pages: Pages = field(default_factory=Pages)
    kept_pages: KeptPages = field(default_factory=KeptPages)
    kept_citizens: KeptPages = field(default_factory=lambda: KeptPages(MOST_BYTES_OF_CITIZENS))
    sessions: Sessions = field(default_factory=Sessions)
    attempts: Attempts = field(default_factory=Attempts)
    limits: SiteLimits = field(default_factory=SiteLimits.usual)
    lanes: Lanes = field(default_factory=Lanes)
    typesetter: Typesetter = field(default_factory=Typesetter)
    chores: Chores = field(default_factory=Chores)
    works: DeskWorks = field(init=False)
    lis: LisDesk = field(init=False)
    citizens: CitizenDesk = field(init=False)
    news_mail: NewsMail = field(init=False)
    status_mail: StatusMail = field(init=False)

    def __post_init__(self) -> None:
        """Make the desks and the mails; they open nothing before they are asked."""
        self.works = DeskWorks(self.settings)
        opened = KeptOpen(self.settings.ledger)
        self.lis = LisDesk(self.settings, opened)
        self.citizens = CitizenDesk(self.settings, opened)
        self.news_mail = NewsMail(self.settings, self.folder, self.url)
        self.status_mail = StatusMail(self.settings, self.folder, self.board, self.url)

    @classmethod
    def of(cls, settings: Settings, url: str) -> "Parts":
        """Make the parts by the settings; `url` counts where none is set. Raises UserError."""
        web = settings.web
        provider = OidcProvider(web.oidc) if web.oidc else None
        grants = read_grants(web.roles)
        samples, kept = SampleBook(settings.state_dir), KeptSeen(settings.state_dir)
        board = Board(settings, samples=samples, kept=kept)
        book, folder = AccessBook(settings), Folder(web.folder)
        return cls(settings, web.url or url, book, board, folder, provider, grants)


def parts_of(request: Request) -> Parts:
    """Return the parts of the site that a request came to."""
    parts: Parts = request.app.state.parts
    return parts


def page(request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """Make the page of a template."""
    parts = parts_of(request)
    shared = {"demo": parts.settings.demo, "has_log_on": parts.provider is not None}
    return parts.pages.page(request, template, status, **shared, **values)
