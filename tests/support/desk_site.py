"""A site whose operators act on a topic in memory: two persons, and a run that may be closed."""

import asyncio
import threading
import time
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from projections.runs.completeness import Finding
from streams.acts.acts import Act
from streams.acts.chain import genuine_entries
from streams.acts.four_eyes import GuardedAct, permission
from streams.acts.topic import open_act_topic
from streams.operations import runs
from streams.operations.dead_letters import Letter, RefusalError, summary
from streams.operations.duty import DiskDuty
from streams.operations.kept_differences import KeptDifference, Moved
from streams.operations.letter_counts import LetterCounts
from streams.operations.letter_dispatch import Sent
from streams.operations.notice_shelf import NewestNotices, NoticeLine, NoticeShelf
from streams.operations.record_mask import masked
from streams.operations.runs import Closed
from streams.operations.topic_sizes import TopicSizes
from streams.settings import Settings
from streams.web.access import AccessBook
from streams.web.desk.works import DeskWorks, RetryOutcome
from tests.support.acts_in_memory import MemoryActTopic
from tests.support.lis_site import lis_environment
from tests.support.site_client import a_site, visitor

ANNA = visitor("operator", subject="subject-of-anna")
BIRTE = visitor("operator", subject="subject-of-birte")
DORTE = visitor("operator", subject="subject-of-dorte")
"""She is not in the file of persons."""
PERSONS = """
- person: Anna Andersen
  users: [anna]
  subjects: [subject-of-anna]
- person: Birte Bang
  users: [birte]
  subjects: [subject-of-birte]
"""
MISSING = Finding("missing", "12345678", "KTH", "2024-04", 1_234_500_00)


CPR = "010190" + "1234"
RECORD = (
    f'{{"cpr": "{CPR}", "benefit": "KTX", "reporter": "12345678", "name": "Tage Hansen"}}'
).encode()
LETTERS = [
    Letter(3, 17, "2126-11-27T08:00:00Z", "intake", "unknown_benefit", "benefit", "raw/0/5", "",
           0, "", "", b"", "12345678"),
    Letter(0, 2, "2126-11-27T09:00:00Z", "citizens", "internal_error", "", "reports/0/9", "c" * 32,
           0, "", "", b"", ""),
]  # fmt: skip
NOTICED = [
    NoticeLine("2026-11-02T08:00:00+00:00", "possible_duplicate", "ab" * 16, ("751",), "KTH",
               "2024-01-01–2024-01-31", "12345678/P2", "23456789/P1", is_repeat=False),
    NoticeLine("2026-11-01T08:00:00+00:00", "after_death", "cd" * 16, ("730",), "SDP-B",
               "2024-02-05", "12345678/P9", "", is_repeat=False),
]  # fmt: skip

MOVED = [
    Moved("730", "rule_change", 1_000_000_00, 0, 9),
    Moved("751", "recalculation", -5_000_00, 300_00, 2),
]
REPLAYED = KeptDifference(
    "20240405T100000Z-00000001", "2024-04-05T10:00:00Z", "anna", "replay", "R-2", "R-1", "", "",
    1200, 800, 34, 51,
    "2024-03", {"730": [9_000_000_00, 0], "751": [1_000_00, 0]}, MOVED,
)  # fmt: skip
ANSWERED = replace(
    REPLAYED, id="20240405T100000Z-00000002", rules="R-1-UFB-BENEFIT", answer="UFB=BENEFIT"
)


class MemoryWorks(DeskWorks):
    """Closes runs in memory, by the permission of real records."""

    def __init__(self, settings, doubts=()):
        self.topic = MemoryActTopic()
        super().__init__(settings, self.topic.open)
        self.doubts = list(doubts)
        self.closed = []
        self.is_cut = False
        self.may_go_on = threading.Event()
        """Cleared, work begins and does not end."""
        self.may_go_on.set()
        self.noticed = NOTICED

    def close(self, closing, show):
        show(5, 10)
        assert self.may_go_on.wait(60)
        books = SimpleNamespace(kinds=Counter(BenefitPayment=1200), waiting=3)
        totals = SimpleNamespace(rows=2400, municipalities={"730": [1, 2, 3], "751": [1, 2, 3]})
        survey: Any = SimpleNamespace(
            books=books,
            totals=totals,
            rejected={"intake: bad_cpr": 4},
            names={"12345678": "Randers"},
        )
        outcome = Closed(52, closing.month, survey, self.doubts, left=2)
        if closing.dry_run:
            return outcome
        if self.doubts and not closing.accept:
            return outcome
        outcome.accepted = closing.accept if self.doubts else ()
        guarded = runs._guarded(closing, outcome)
        asyncio.run(permission(self.settings, guarded, self.topic.open))
        outcome.closed_at = "2024-05-05T10:00:00Z"
        self.closed.append(closing)
        return outcome

    def letters(self, wanted):
        letters = [letter for letter in LETTERS if wanted.fits(letter)]
        return LetterCounts(summary(letters), letters[::-1], is_cut=self.is_cut)

    def masked_letter(self, place):
        for letter in LETTERS:
            if letter.place == place:
                return letter, masked(RECORD)
        raise RefusalError(f"there is no dead letter {place}")

    def retry(self, asked):
        assert self.may_go_on.wait(60)
        letters = [
            letter
            for letter in LETTERS
            if (letter.place in asked.places if asked.places else asked.wanted.fits(letter))
        ]
        if asked.unchanged:
            command = ["dead-letters", "retry", "--unchanged", *asked.places]
            act = Act("dead-letters retry --unchanged", {"letters": [*asked.places]})
            guarded = GuardedAct(act, command)
            asyncio.run(permission(self.settings, guarded, self.topic.open))
        self.closed.append(asked)
        return RetryOutcome([Sent(letter, "raw/0/1") for letter in letters], 0, [])

    def notices(self, days, place=None, code=""):
        shelf = NewestNotices(place, code)
        for line in self.noticed:
            shelf.take(line)
        return NoticeShelf(datetime.now(UTC), shelf.lines(), is_cut=days > 60)

    def sizes(self):
        disks = [DiskDuty("state", "/x", 41.0, 12_000_000_000)]
        return TopicSizes({"reports": 120_000, "postings": 240_000, "access": 12}, disks)

    def kept(self):
        """Return the records that were written, in order."""
        return [entry.fields for entry in genuine_entries(self.settings.macs(), self.topic.kept)]


def desk_settings(folder, tmp_path, **more):
    """Return the settings of a site with two persons; its brokers are never asked."""
    persons = tmp_path / "persons.yaml"
    persons.write_text(PERSONS)
    persons.chmod(0o600)
    given = lis_environment(folder) | {
        "REFUSION_BOOTSTRAP": "127.0.0.1:1",
        "REFUSION_STATE_DIR": str(tmp_path / "state"),
        "REFUSION_FOUR_EYES": "1",
        "REFUSION_PERSONS": str(persons),
    }
    return Settings.load(given | more)


def desk_site(folder, tmp_path, doubts=(), works=MemoryWorks, **more):
    """Make a site over a folder of LIS, and return it with its works."""
    settings = desk_settings(folder, tmp_path, **more)
    made = works(settings, doubts)
    open_topic = made.topic.open if isinstance(made, MemoryWorks) else open_act_topic
    app = a_site(settings, access=AccessBook(settings, open_topic))
    app.state.parts.works = made
    return app, made


def at_rest(app, kind):
    """Wait until a chore has ended, and return it."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        chore = app.state.parts.chores.last(kind)
        if chore is not None and not chore.is_running:
            return chore
        time.sleep(0.01)
    raise AssertionError(f"{kind} has not ended")
