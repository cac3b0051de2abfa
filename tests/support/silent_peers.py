"""Servers that neither work nor go away: whoever waits for one must end the wait himself."""

import socket
import threading
import time
from contextlib import contextmanager, suppress
from itertools import chain, repeat

HOST = "127.0.0.1"
PAUSE_S = 0.05


def silent(_connection):
    """Read nothing, write nothing, and stay connected."""


def half_closed(connection):
    """Say that nothing will be written, and stay connected."""
    connection.shutdown(socket.SHUT_WR)


def dripping(connection):
    """Answer HTTP one letter at a time, without an end."""
    for text in chain([b"HTTP/1.0 200 OK\r\n\r\n"], repeat(b" ")):
        connection.sendall(text)
        time.sleep(PAUSE_S)


@contextmanager
def peer(behaviour):
    """Let a server behave so for the length of a block; yields its port."""
    kept: list[socket.socket] = []

    def treat(connection):
        with suppress(OSError):
            behaviour(connection)

    def serve():
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                kept.append(connection)
                threading.Thread(target=treat, args=(connection,), daemon=True).start()

    with socket.create_server((HOST, 0)) as listener:
        threading.Thread(target=serve, daemon=True).start()
        try:
            yield listener.getsockname()[1]
        finally:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            for connection in kept:
                connection.close()
