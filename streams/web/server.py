"""Serves the site: uvicorn, with bounds and without a log of addresses."""

from typing import NamedTuple

import uvicorn

from streams.kit.logs import set_up_logs
from streams.settings import Settings
from streams.web.app import site

MOST_AT_ONCE = 1_000
"""Connections at a time; one more is answered with status 503."""
IDLE_S = 10
"""Seconds for which a connection without a request is kept."""
GOODBYE_S = 10
"""Seconds that requests may take to end when the site is stopped."""


class WebPlace(NamedTuple):
    """The address that the site listens on."""

    host: str
    port: int


def serve(settings: Settings, place: WebPlace) -> None:
    """Serve the site until the process is stopped."""
    set_up_logs()
    app = site(settings, url=f"http://{place.host}:{place.port}")
    config = uvicorn.Config(
        app,
        host=place.host,
        port=place.port,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=MOST_AT_ONCE,
        timeout_keep_alive=IDLE_S,
        timeout_graceful_shutdown=GOODBYE_S,
    )
    uvicorn.Server(config).run()
