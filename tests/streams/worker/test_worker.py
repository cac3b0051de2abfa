"""The Faust app that hosts the stages serves nothing, and starts nothing of Faust's own."""

import asyncio
import socket
from typing import Any

from streams.worker.app import StageService, make_app


class Loop:
    """Stands in for a batch loop."""

    def __init__(self):
        self.stopping = asyncio.Event()
        self.ended = False

    async def run(self):
        await self.stopping.wait()
        self.ended = True

    def stop(self):
        self.stopping.set()


def test_the_app_runs_its_services_and_opens_no_port():
    async def live():
        app = make_app()
        loop: Any = Loop()
        await app.start()
        await app.add_runtime_dependency(StageService(loop, asyncio.Event(), beacon=app.beacon))
        await asyncio.sleep(0.1)
        with socket.socket() as client:
            refused = client.connect_ex(("127.0.0.1", app.conf.web_port))
        await app.stop()
        return bool(refused), app.conf.web_tables_enabled, loop.ended

    assert asyncio.run(live()) == (True, False, True)


def test_a_stage_that_fails_fails_the_app():
    class Defect(Loop):
        async def run(self):
            raise ZeroDivisionError

    async def live():
        app = make_app()
        loop: Any = Defect()
        await app.start()
        await app.add_runtime_dependency(StageService(loop, asyncio.Event(), beacon=app.beacon))
        await asyncio.wait_for(app.wait(asyncio.Event().wait()), 5)
        await app.stop()
        return app.crash_reason

    assert isinstance(asyncio.run(live()), ZeroDivisionError)
