"""`refusion keys state` says where a journal is checked, for people and for programs."""

import orjson
from click.testing import CliRunner

from domain.citizen.reports import KeysRecord
from streams.cli.keys import keys
from streams.operations import stated_keys


def test_the_places_are_told_as_json_too(monkeypatch):
    monkeypatch.setenv("REFUSION_DEMO", "1")
    stated = stated_keys.KeysStated(
        KeysRecord("k", "p0", ("k0",), ("m0",), True), {1: 7, 0: 0}, written=False
    )

    async def state(_settings, *, apply):
        assert not apply
        return stated

    monkeypatch.setattr(stated_keys, "state_keys", state)
    done = CliRunner().invoke(keys, ["state", "--json"])
    assert done.exit_code == 0, done.exception
    assert orjson.loads(done.stdout)["checked_from"] == {"0": 0, "1": 7}
    assert "partition 1: checked from offset 7 on" in CliRunner().invoke(keys, ["state"]).stdout
