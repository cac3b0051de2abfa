"""An SFTP server (asyncssh's own) for tests, which may drop, refuse or never answer."""

import asyncio
import json
import threading
from pathlib import Path

import asyncssh

from streams.ledger.receipts import RECEIPTS
from streams.ledger.sftp import BLOCK

TIMEOUT_S = 60
RUN = 50
LARGE = 5 * BLOCK + 7
"""Bytes of the large file among those that tests deliver."""


class Served(asyncssh.SFTPServer):
    """A session of the server, which may refuse a kind of request, or never answer it."""

    def __init__(self, channel, server):
        super().__init__(channel, chroot=str(server.root).encode())
        self.server = server

    def _answer(self, name, answer):
        if name == self.server.silent:
            return asyncio.sleep(100_000)
        if name == self.server.forbidden:
            raise asyncssh.SFTPPermissionDenied(f"no {name}")
        return answer()

    def stat(self, path):
        return self._answer("stat", lambda: super(Served, self).stat(path))

    def rename(self, oldpath, newpath):
        return self._answer("rename", lambda: super(Served, self).rename(oldpath, newpath))

    def close(self, file_obj):
        return self._answer("close", lambda: super(Served, self).close(file_obj))

    def open(self, path, pflags, attrs):
        if pflags & asyncssh.FXF_WRITE:
            self.server.names.append(path.decode())
        return self._answer("open", lambda: super(Served, self).open(path, pflags, attrs))

    def write(self, file_obj, offset, data):
        if self.server.drop_at:
            self.server.drop_at -= 1
            if not self.server.drop_at:
                self.channel.get_connection().abort()
        if self.server.silent != "write":
            self.server.written += len(data)
        return self._answer("write", lambda: super(Served, self).write(file_obj, offset, data))


class Server:
    """An SFTP server in a thread; `drop_at` closes the connection after a number of writes."""

    def __init__(self, folder):
        self.root, self.keys = folder / "served", folder / "keys"
        (self.root / "in" / "730").mkdir(parents=True)
        self.keys.mkdir()
        for name in ("host", "client", "stranger"):
            asyncssh.generate_private_key("ssh-ed25519").write_private_key(str(self.keys / name))
        self.written = 0
        self.drop_at = 0
        self.names: list[str] = []
        self.silent = ""
        """Name of the request that gets no answer."""
        self.forbidden = ""
        """Name of the request that is not allowed."""
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.port = asyncio.run_coroutine_threadsafe(self._listen(), self.loop).result(TIMEOUT_S)
        self.known("host")

    def known(self, name):
        """Make a host key the known one."""
        public = (
            asyncssh.read_private_key(str(self.keys / name)).export_public_key().decode().strip()
        )
        (self.keys / "known_hosts").write_text(f"[127.0.0.1]:{self.port} {public}\n")

    async def _listen(self):
        client = asyncssh.read_private_key(str(self.keys / "client")).export_public_key().decode()
        self.acceptor = await asyncssh.listen(
            "127.0.0.1",
            0,
            server_host_keys=[str(self.keys / "host")],
            authorized_client_keys=asyncssh.import_authorized_keys(client),
            sftp_factory=lambda channel: Served(channel, self),
        )
        return self.acceptor.get_port()

    def files(self):
        return {
            path.name: path.read_bytes()
            for path in sorted((self.root / "in").rglob("*"))
            if path.is_file()
        }

    def close(self):
        async def end():
            self.acceptor.close()
            await self.acceptor.wait_closed()
            answers = asyncio.all_tasks() - {asyncio.current_task()}  # some are never given
            for answer in answers:
                answer.cancel()
            await asyncio.gather(*answers, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(end(), self.loop).result(TIMEOUT_S)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(TIMEOUT_S)
        self.loop.close()


def of_run(exported):
    return {path.name: path.read_bytes() for path in exported.glob(f"yr*-730-{RUN:04d}-*")}


def receipts(environment):
    path = Path(environment["REFUSION_STATE_DIR"]) / RECEIPTS
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
