"""The changes to aiokafka: made once, and only to the versions that they were written for."""

from importlib import metadata

import pytest

from streams.kafka import patches


def test_another_version_of_the_client_is_refused_before_anything_is_changed(monkeypatch):
    changed: list[str] = []
    for name in ("report_lost_connections", "compress_quickly"):
        monkeypatch.setattr(patches, name, lambda: changed.append("changed"))
    monkeypatch.setattr(metadata, "version", lambda _name: "0.15.0")
    with pytest.raises(RuntimeError, match=r"aiokafka 0\.15\.0 is installed, .* for 0\.14\.x"):
        patches.apply.__wrapped__()
    assert changed == []


def test_the_installed_version_is_the_one_that_the_patches_are_for():
    assert metadata.version("aiokafka").startswith(patches.VERSION)
