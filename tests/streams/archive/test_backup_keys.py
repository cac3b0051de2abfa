"""A backup is taken, proved and restored by the seal key: no key that names citizens is asked for.

Without it nothing that was forged can be told from what is ours, and the verdict says so.
"""

import asyncio
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from streams.acts.acts import Act, record_act
from streams.archive.manifest import Link
from streams.cli.main import main
from streams.operations.duty import last_checks
from streams.settings import Settings, SettingsError
from tests.support.acts_in_memory import MemoryActTopic

SEAL, NAMES, MARKS = "REFUSION_SEAL_KEY", "REFUSION_PSEUDONYM_KEY", "REFUSION_JOURNAL_KEY"
WHOLE = "the backup is whole"
UNSIGNED = "NO SIGNATURE WAS CHECKED"


def refusion(topics, *arguments, keys):
    """Run a command that has these keys of the topics and nothing else."""
    environment = {name: topics.settings.values[name][0] for name in keys}
    others = dict.fromkeys(
        ("REFUSION_DEMO", "REFUSION_MASTER_KEY", "REFUSION_BOOTSTRAP", SEAL, NAMES, MARKS)
    )
    kept = {"REFUSION_OPERATIONS_DIR": str(topics.settings.operations_dir)}
    return CliRunner(env={**others, **kept, **environment}).invoke(main, list(map(str, arguments)))


@pytest.fixture
def forged(clean, place):
    """A backup without one of its segments, of which the manifest does not speak any more."""
    place.back_up(clean)
    (file,) = place.files("manifest")
    content, _, signature = file.read_bytes().partition(b"\n")
    link = msgspec.json.decode(content, type=Link)
    last = {(each.topic, each.partition): each for each in link.segments}["reports", 1]
    left = [each for each in link.segments if each is not last]
    (place.folder / last.file).unlink()
    forgery = msgspec.structs.replace(link, segments=left)
    file.write_bytes(msgspec.json.encode(forgery) + b"\n" + signature)
    return place


@pytest.mark.parametrize("keys", [(SEAL,), (SEAL, NAMES)])
def test_a_forged_manifest_is_found_with_the_seal_key_alone(clean, forged, keys):
    done = refusion(clean, "backup", "verify", "--from", forged.folder, keys=keys)
    assert done.exit_code == 1, done.output
    assert "is not signed by a key of REFUSION_SEAL_KEY" in done.output
    assert WHOLE not in done.output


@pytest.mark.parametrize("keys", [(), (NAMES,)])
def test_where_no_signature_was_checked_nothing_was_proved(clean, forged, keys):
    verify = "backup", "verify", "--from", forged.folder
    done = refusion(clean, *verify, keys=keys)
    assert done.exit_code == 2, done.output
    assert WHOLE not in done.output
    assert done.output.splitlines()[-1].startswith(UNSIGNED)
    told = refusion(clean, *verify, "--json", keys=keys)
    assert told.exit_code == 2
    assert not msgspec.json.decode(told.stdout)["fine"]


def test_how_a_proof_ended_is_kept_with_its_place(copy, place):
    """`refusion status` tells it, until the next one ends otherwise."""
    place.back_up(copy)
    verify = "backup", "verify", "--from", place.folder

    def kept():
        *_, outcome = last_checks(copy.settings)
        assert outcome is not None
        return outcome["fine"], outcome.get("result"), outcome["from"]

    refusion(copy, *verify, keys=(SEAL,))
    assert kept() == (True, "whole", str(place.folder))
    refusion(copy, *verify, keys=())
    assert kept() == (False, "unsigned", str(place.folder))
    place.files("segments")[0].unlink()
    refusion(copy, *verify, keys=(SEAL,))
    assert kept() == (False, "broken", str(place.folder))
    gone = place.folder / "gone"
    assert refusion(copy, "backup", "verify", "--from", gone, keys=(SEAL,)).exit_code == 2
    assert kept() == (False, None, str(gone))


def test_the_seal_key_opens_the_segments_and_what_was_not_looked_at_is_said(clean, place):
    place.back_up(clean)
    verify = "backup", "verify", "--from", place.folder
    done = refusion(clean, *verify, keys=(SEAL,))
    assert (done.exit_code, done.output.splitlines()[-1]) == (0, WHOLE)
    assert "not opened" not in done.output
    assert "without a key for MACs those of the records were not looked at" in done.output
    told = msgspec.json.decode(refusion(clean, *verify, "--json", keys=(SEAL,)).stdout)
    assert (told["fine"], told["opened"], told["marks_checked"]) == (True, True, False)
    assert "not looked at" not in refusion(clean, *verify, keys=(SEAL, NAMES)).output


def test_a_backup_is_taken_without_the_key_that_names_citizens(copy, place):
    given: dict[str, Any] = {NAMES: (None, "not set"), MARKS: ("ab" * 32, "environment")}
    copy.settings = Settings({**copy.settings.values, **given})
    assert place.back_up(copy).whole


def test_a_backup_with_the_seal_key_alone_names_the_key_that_is_missing(copy):
    """Its act is marked, for which no key that names citizens has to be made."""
    unset: dict[str, Any] = dict.fromkeys((NAMES, MARKS), (None, "not set"))
    copy.settings = Settings({**copy.settings.values, **unset})
    with pytest.raises(SettingsError) as raised:
        asyncio.run(record_act(copy.settings, Act("backup", {"to": "x"}), MemoryActTopic().open))
    assert str(raised.value).startswith(f"{MARKS} is not set; set it to the key that marks this")
    assert "make a key" not in str(raised.value)


@pytest.mark.parametrize("more", [(), ("--compare",)])
def test_a_restore_asks_for_brokers_and_not_for_the_key_that_names(clean, place, more):
    place.back_up(clean)
    asked = "restore", "--from", place.folder, "--prefix", "new.", *more
    done = refusion(clean, *asked, keys=(SEAL,))
    assert done.exit_code == 2
    assert "REFUSION_BOOTSTRAP is not set" in done.output + str(done.exception), done.output
