"""The peer on Kafka: a plain Faust agent as in its documentation, with default settings.

It processes at least once. It reads the same raw reports as JSON, keeps 100 bytes for each citizen
in a RocksDB table with a changelog, and sends one output each: no validation, no law, no pseudonym,
and repetitions after every crash.

    python -m bench.peer_faust BOOTSTRAP PREFIX PARTITIONS FOLDER

It runs until it is killed or its standard input closes.
"""

import os
import sys
from pathlib import Path
from threading import Thread
from typing import Final

import faust

from streams.kafka.topics import RAW, Topic

OUTPUT: Final = Topic("peer", by_citizen=True, settings={"cleanup.policy": "delete"})
STATE_BYTES: Final = 100


def make_app(bootstrap: str, prefix: str, partitions: int, folder: Path) -> faust.App:
    """Make the app with its agent."""
    app = faust.App(
        f"{prefix}peer",
        broker=f"kafka://{bootstrap}",
        store="rocksdb://",
        datadir=folder,
        topic_partitions=partitions,
        web_enabled=False,
    )
    raw = app.topic(prefix + RAW.name, key_serializer="raw", value_serializer="json")
    output = app.topic(prefix + OUTPUT.name, key_serializer="raw", value_serializer="json")
    citizens = app.Table("citizens", key_type=str, value_type=bytes, partitions=partitions)

    @app.agent(raw)
    async def settle(reports):
        async for report in reports:
            cpr = report["cpr"]
            state = citizens.get(cpr) or bytes(STATE_BYTES)
            amount_ore = report.get("amount_ore", 0)
            citizens[cpr] = state[8:] + amount_ore.to_bytes(8, "big", signed=True)
            await output.send(
                key=cpr.encode(), value={"report": report["report_id"], "amount_ore": amount_ore}
            )

    return app


def _end_with_parent() -> None:
    sys.stdin.read()
    os._exit(1)


def main(bootstrap: str, prefix: str, partitions: str, folder: str) -> None:
    """Run the peer's only process."""
    Thread(target=_end_with_parent, daemon=True).start()
    app = make_app(bootstrap, prefix, int(partitions), Path(folder))
    faust.Worker(app, loglevel="error").execute_from_commandline()


if __name__ == "__main__":
    main(*sys.argv[1:])
