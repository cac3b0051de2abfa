"""Serves `/metrics`, `/healthz` and `/readyz` of a worker process, on a port of its own.

It is off unless REFUSION_METRICS_PORT is set. Each process takes that port plus the number of its
state folder, so that several on one machine have one each, and the same again after a crash. A
thread serves it, which answers although the event loop stands still: that is what `/healthz` is
for.
"""

import logging
import threading
from collections.abc import Callable, Iterable
from typing import Any, Final
from wsgiref.simple_server import WSGIRequestHandler, make_server

from prometheus_client import make_wsgi_app
from prometheus_client.exposition import ThreadingWSGIServer

from streams.settings import Settings
from streams.worker.metrics import Metrics

log = logging.getLogger("refusion")

Start = Callable[[str, list[tuple[str, str]]], Any]
CONNECTIONS: Final = 16
"""Questions that are answered at a time; whoever asks beside these is hung up on."""
QUESTION_S: Final = 10.0
"""Seconds without a byte after which a connection is closed."""


class _BoundedServer(ThreadingWSGIServer):
    """Answers a bounded number of questions at a time, so that nobody can use up threads."""

    daemon_threads = True

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._free = threading.BoundedSemaphore(CONNECTIONS)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer in a thread, if one is free."""
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer, and be free for another question."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, _request: Any, _client_address: Any) -> None:
        """Nobody reads of a question that was broken off."""


class _Quiet(WSGIRequestHandler):
    timeout = QUESTION_S

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name in the library
        """Nobody reads a line for each question."""


def serve(metrics: Metrics, settings: Settings, number: int) -> Callable[[], None]:
    """Serve on the port of this process, the `number`th on its machine. Returns what ends it.

    A worker does its work without metrics too: a port that is taken is said, and no more.
    """
    assert settings.metrics_port is not None, "it is off otherwise"
    host, port = settings.metrics_host, settings.metrics_port + number
    try:
        server = make_server(host, port, _app(metrics), _BoundedServer, _Quiet)
    except OSError as error:
        log.warning("metrics: nothing is served on %s:%d (%s)", host, port, error.strerror)
        return lambda: None
    thread = threading.Thread(target=server.serve_forever, daemon=True, name="metrics")
    thread.start()
    log.info("metrics: served on http://%s:%d/metrics", host, port)

    def end() -> None:
        server.shutdown()
        server.server_close()

    return end


def _app(metrics: Metrics) -> Callable[[dict[str, Any], Start], Iterable[bytes]]:
    exposed = make_wsgi_app(metrics.registry)

    def app(environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path == "/metrics":
            answer: Iterable[bytes] = exposed(environ, start)
            return answer
        if path not in {"/healthz", "/readyz"}:
            return _said(start, "404 Not Found", "there are /metrics, /healthz and /readyz")
        problem = metrics.problem(ready=path == "/readyz")
        return _said(start, "503 Service Unavailable" if problem else "200 OK", problem or "ok")

    return app


def _said(start: Start, status: str, text: str) -> Iterable[bytes]:
    start(status, [("Content-Type", "text/plain; charset=utf-8")])
    return [text.encode() + b"\n"]
