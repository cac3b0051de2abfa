"""Whatever others write to `access`, who approves, confirms and delivers is told the same."""

import asyncio
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from streams.acts import four_eyes
from streams.acts.acts import Act
from streams.acts.chain import AccessRecord
from streams.acts.confirmed import is_confirmed
from streams.acts.four_eyes import ApprovalError, GuardedAct
from streams.kit.errors import AwaitingApproval
from streams.kit.operating_user import acting_as
from streams.ledger.destinations import read_destinations
from tests.streams.acts.test_four_eyes import Office
from tests.support.acts_in_memory import ANNA, BO
from tests.support.foreign_records import HEADERS, VALUES

DESTINATION = '- municipality: "730"\n  to: sftp://u@server/in\n  host_key: SHA256:' + "a" * 43
OTHERS = Act("destinations", {"sha256": "0" * 64, "municipalities": 1})
"""A file of destinations that nobody has confirmed."""


class Desk(Office):
    """An office with a request in each state, and a file of destinations that two confirmed."""

    def __init__(self, folder):
        file = folder / "destinations.yaml"
        file.write_text(DESTINATION)
        super().__init__(folder, REFUSION_DESTINATIONS=str(file))
        self.confirm = read_destinations(self.settings).guarded()
        done = self.requested(self.confirm, ANNA)
        with four_eyes.carried_out(done):
            self.permission(self.confirm, BO)
        self.approve(self.request(ANNA), BO)
        self.refuse(self.request(ANNA), BO)
        self.requested(self.guarded(), ANNA)
        self.open = self.request(ANNA)

    def requested(self, guarded: GuardedAct, who):
        """Ask for an act, and have another person approve it, who does not carry it out yet."""
        with pytest.raises(AwaitingApproval) as waiting:
            self.permission(guarded, who)
        with acting_as(BO):
            request = waiting.value.request
            return asyncio.run(four_eyes.approve(self.settings, request, self.topic.open))

    def permission(self, guarded: GuardedAct, who):
        with acting_as(who):
            return asyncio.run(four_eyes.permission(self.settings, guarded, self.topic.open))

    def said(self):
        """Return the requests with what became of them, and which files are confirmed."""
        requests = asyncio.run(four_eyes.requests(self.settings, self.topic.open))
        confirmed = [
            asyncio.run(is_confirmed(self.settings, act, self.topic.open))
            for act in (self.confirm.act, OTHERS)
        ]
        return [(each.id, each.state, each.decided_by) for each in requests], confirmed


@pytest.fixture(scope="module")
def genuine():
    with tempfile.TemporaryDirectory() as folder:
        desk = Desk(Path(folder))
        states = ["carried out", "carried out", "refused", "approved", "open"]
        assert [state for _, state, _ in desk.said()[0]] == states
        assert desk.said()[1] == [True, False]
        yield desk, list(desk.topic.kept), desk.said()


@st.composite
def spoilt(draw, kept):
    """The records of the topic with those of others between them, which may be copies."""
    records = list(kept)
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(records)))
        key, value = draw(st.sampled_from([None, b"", b"ops1/anna"])), draw(VALUES)
        if at and draw(st.booleans()):
            copy = draw(st.sampled_from(records[:at]))
            whole = [copy, copy._replace(value=value), copy._replace(key=key)]
            record = draw(st.sampled_from([*whole, copy._replace(headers=[("mac", None)])]))
        else:
            record = AccessRecord(0, key, value, draw(st.sampled_from(HEADERS)))
        records.insert(at, record)
    return [record._replace(offset=at) for at, record in enumerate(records)]


@examples(max_examples=60, deadline=None)
@given(st.data())
def test_what_others_write_to_access_changes_no_request_and_confirms_nothing(genuine, data):
    desk, kept, said = genuine
    desk.topic.kept = data.draw(spoilt(kept))
    requests, confirmed = desk.said()
    assert (sorted(requests), confirmed) == (sorted(said[0]), said[1])
    with pytest.raises(ApprovalError, match="is your own"):
        desk.approve(desk.open, ANNA)
    desk.approve(desk.open, BO)
    with pytest.raises(ApprovalError, match="was carried out before"):
        desk.approve(desk.open, BO)
