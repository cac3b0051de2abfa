"""Serves the site: uvicorn, with bounds and without a log of addresses."""

from functools import partial
from typing import Any, NamedTuple

import uvicorn
from fastapi import FastAPI

from streams.kit.logs import set_up_logs
from streams.kit.tuning import share_heaps
from streams.settings import Settings
from streams.web.app import site
from streams.web.connections import BoundedProtocol, ConnectionGate

MOST_AT_ONCE = 1_000
"""Connections at a time. One more ends the one that waits longest for a request; where none waits,
it is answered with status 503."""
IDLE_S = 10
"""Seconds for which a connection without a request is kept."""
GOODBYE_S = 10
"""Seconds that requests may take to end when the site is stopped."""


class WebPlace(NamedTuple):
    """The address that the site listens on, and what is before it."""

    host: str
    port: int
    proxy: str | None = None
    certificate: str | None = None
    key: str | None = None

    @property
    def url(self) -> str:
        """The address as this machine sees it."""
        return f"{'https' if self.certificate else 'http'}://{self.host}:{self.port}"


def serve(settings: Settings, place: WebPlace) -> None:
    """Serve the site until the process is stopped."""
    set_up_logs("site")
    share_heaps()
    app = site(settings, url=place.url)
    _ = app.state.parts.lis.law  # a rule set file with a mistake is told before anybody comes
    config = bounded(
        app,
        host=place.host,
        port=place.port,
        proxy_headers=place.proxy is not None,
        forwarded_allow_ips=place.proxy,
        ssl_certfile=place.certificate,
        ssl_keyfile=place.key,
    )
    uvicorn.Server(config).run()


def bounded(app: FastAPI, **place: Any) -> uvicorn.Config:
    """Return how a site is served: bounded, and without a log of addresses."""
    protocol: Any = partial(BoundedProtocol, ConnectionGate(place.get("forwarded_allow_ips")))
    return uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        http=protocol,
        ws="none",
        limit_concurrency=MOST_AT_ONCE,
        timeout_keep_alive=IDLE_S,
        timeout_graceful_shutdown=GOODBYE_S,
        **({"proxy_headers": False} | place),
    )
