"""The site that `web.py` asks, in a process of its own.

It loads what `refusion web` does; the rest of the benchmarks would be another 17 MB.
"""

import sys
from collections.abc import Sequence

import uvicorn

from streams.kit.tuning import share_heaps
from streams.settings import Settings
from streams.web.app import site
from streams.web.citizen_tokens import tokens_of
from streams.web.lis_looks import PURPOSE
from streams.web.server import bounded
from streams.web.visitors import Role, Visitor


def serve(port: int, municipality: str, citizens: Sequence[str]) -> None:
    """Serve the site of the environment.

    Write the cookies of who asks to standard output, and then the tokens that the last of them, an
    auditor who has said why, has for some citizens.
    """
    share_heaps()
    app = site(Settings.load(), url=f"http://localhost:{port}")
    sessions = app.state.parts.sessions
    for role, place in ((Role.ECONOMY, municipality), (Role.AUDITOR, None)):
        session = sessions.begin(Visitor("bench", frozenset({role}), place))
        print(role, session, flush=True)
    auditor = sessions.get(session)
    auditor.kept[PURPOSE] = "bench"
    for citizen in citizens:
        print(tokens_of(auditor).token(citizen), flush=True)
    uvicorn.Server(bounded(app, host="127.0.0.1", port=port)).run()


if __name__ == "__main__":
    serve(int(sys.argv[1]), sys.argv[2], sys.argv[3:])
