"""Asks the processes of a container how they are, for its health check.

    python -m streams.worker.health

Each process serves `/healthz` on REFUSION_METRICS_PORT plus the number of its state folder, which
is not known here where containers share the folder of states. So every port is tried; in a
container only its own processes listen. The status is 0 if at least one answers and all that listen
are well, else 1.
"""

import http.client
import sys
from collections.abc import Iterable
from typing import Final

from streams.kit.errors import UserError
from streams.settings import Settings

PORTS: Final = 256
"""Ports that are tried, from REFUSION_METRICS_PORT on."""
ANSWER_S: Final = 5.0
HOST: Final = "127.0.0.1"


def problem(ports: Iterable[int]) -> str:
    """Say what is wrong with the processes that listen on some ports; "" where all are well."""
    listening = 0
    for port in ports:
        connection = http.client.HTTPConnection(HOST, port, timeout=ANSWER_S)
        try:
            connection.request("GET", "/healthz")
            answer = connection.getresponse()
            text = answer.read(1000).decode("utf-8", "replace").strip()
        except ConnectionRefusedError:
            continue
        except (OSError, http.client.HTTPException) as error:
            return f"port {port} does not answer ({type(error).__name__})"
        finally:
            connection.close()
        listening += 1
        if answer.status != http.client.OK:
            return f"port {port}: {text}"
    return "" if listening else "no process of this container listens"


def main() -> int:
    """Look, and print what is wrong."""
    try:
        first = Settings.load().metrics_port
    except UserError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    if first is None:
        sys.stderr.write("REFUSION_METRICS_PORT is not set: nobody can be asked\n")
        return 1
    wrong = problem(range(first, min(first + PORTS, 65_536)))
    sys.stderr.write(f"{wrong}\n" if wrong else "")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
