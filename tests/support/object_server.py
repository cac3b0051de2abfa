"""An object store on this machine that speaks as much of S3's protocol as backups need."""

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit
from xml.sax.saxutils import escape


class _Server(ThreadingHTTPServer):
    """A server with the objects of one bucket by their keys."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.objects: dict[str, bytes] = {}


class _Handler(BaseHTTPRequestHandler):
    """Requests about objects."""

    server: _Server

    def do_PUT(self):
        key = self._key()
        content = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("If-None-Match") == "*" and key in self.server.objects:
            self._answer(412, b"<Error><Code>PreconditionFailed</Code></Error>")
            return
        self.server.objects[key] = content
        self._answer(200, b"", ETag=f'"{len(content)}"')

    def do_GET(self):
        query = parse_qs(urlsplit(self.path).query)
        if "list-type" in query:
            self._list(query["prefix"][0])
        elif (content := self.server.objects.get(self._key())) is None:
            self._answer(404, b"<Error><Code>NoSuchKey</Code></Error>")
        else:
            date = "Fri, 27 Nov 2026 16:00:00 GMT"
            self._answer(200, content, ETag='"1"', **{"Last-Modified": date})

    def _list(self, prefix):
        found = "".join(
            f"<Contents><Key>{escape(key)}</Key><Size>{len(content)}</Size><ETag>1</ETag>"
            "<LastModified>2026-11-27T16:00:00.000Z</LastModified></Contents>"
            for key, content in sorted(self.server.objects.items())
            if key.startswith(prefix)
        )
        head = '<?xml version="1.0" encoding="UTF-8"?><ListBucketResult>'
        whole = f"{head}<IsTruncated>false</IsTruncated>{found}</ListBucketResult>"
        self._answer(200, whole.encode())

    def _key(self):
        return urlsplit(self.path).path.removeprefix("/backups/")

    def _answer(self, status, content, **headers):
        assert self.headers["Authorization"].startswith("AWS4-HMAC-SHA256 Credential=somebody/")
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        """Say nothing."""


@contextmanager
def object_server(monkeypatch):
    """Run the store for the length of a block; returns its objects by key, in `s3://backups`."""
    server = _Server()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    environment = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}",
        "AWS_ALLOW_HTTP": "true",
        "AWS_ACCESS_KEY_ID": "somebody",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "eu-north-1",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    try:
        yield server.objects
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
