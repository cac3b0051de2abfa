"""Keeps what replays and comparisons have found, so that pages show it and read no topic for it.

Each is a file of this machine's state folder, the newest ones. It has sums alone, by municipality
and by cause; what a replay of one citizen would move is not kept.
"""

import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson

from domain.basics.weeks import month_text
from streams.acts.four_eyes import horizon
from streams.citizens.rule_sets import LawBook, answer_between
from streams.kit.errors import UserError
from streams.kit.operating_user import operating_user
from streams.offline.compare import Compared
from streams.operations.replay import DryRun, ReplayRequest
from streams.settings import Settings

FOLDER: Final = "differences"
MOST_KEPT: Final = 60
"""Differences that are kept; the newest one of each answer to an open question is kept beside."""
REPLAY: Final = "replay"
COMPARISON: Final = "comparison"
RULE_CHANGE: Final = "rule_change"
NAME: Final = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}")
"""The form of a difference's id, which is the name of its file."""


class Moved(NamedTuple):
    """The money that a cause moves in a municipality, in øre, and the rows that it is in."""

    municipality: str
    reason: str
    refusion_ore: int
    medfinansiering_ore: int
    rows: int

    @property
    def net_ore(self) -> int:
        """Return what the State pays more."""
        return self.refusion_ore - self.medfinansiering_ore


@dataclass(frozen=True)
class KeptDifference:
    """The difference between what stands and what other rules or a recalculation would give.

    `answer` is the one answer to an open question by which the rules differ, as `UFB=BENEFIT`, or
    "". `run` and `month` are of the last closed run in what was read, None and "" where there is
    none, or where files were read. `standing` has refusion and medfinansiering by municipality,
    before. `request` is the one that a second person decides, not stale and not refused, or has
    approved; `applied` is what was posted.
    """

    id: str
    at: str
    by: str
    source: str
    rules: str
    holding: str
    answer: str
    municipality: str
    reports: int
    citizens: int
    changed: int
    run: int | None
    month: str
    standing: Mapping[str, Sequence[int]]
    moved: Sequence[Moved]
    request: str = ""
    applied: Mapping[str, Any] | None = None

    def of(self, municipality: str | None) -> "KeptDifference":
        """Return the part of a municipality, or with None all of it."""
        if municipality is None:
            return self
        standing = {code: ore for code, ore in self.standing.items() if code == municipality}
        moved = [each for each in self.moved if each.municipality == municipality]
        return replace(self, standing=standing, moved=moved)

    @property
    def net_ore(self) -> int:
        """Return what the State pays more, in all."""
        return sum(each.net_ore for each in self.moved)

    def by_municipality(self) -> dict[str, Moved]:
        """Sum what moves by municipality; one where nothing moves is left out."""
        return summed((each._replace(reason="") for each in self.moved), "municipality")

    def by_cause(self) -> dict[str, Moved]:
        """Sum what moves by its cause."""
        return summed((each._replace(municipality="") for each in self.moved), "reason")


def summed(moved: Iterable[Moved], key: str) -> dict[str, Moved]:
    """Sum money by one of its fields, in the order of the field's values."""
    sums: dict[str, Moved] = {}
    for each in sorted(moved):
        name = getattr(each, key)
        former = sums.get(name)
        sums[name] = each if former is None else Moved(
            *each[:2], *(a + b for a, b in zip(former[2:], each[2:], strict=True))
        )  # fmt: skip
    return sums


# --- made -----------------------------------------------------------------------------------------


def difference_of_replay(
    settings: Settings, request: ReplayRequest, found: DryRun
) -> KeptDifference | None:
    """Return what a dry run has found as it is kept; None for a replay of one citizen."""
    if request.scope.citizen:
        return None
    answer = request.answer if request.rules in {"", found.holding} else ""
    if not request.answer and found.changes_rules:
        laws = LawBook(settings.rules)
        holding, rules = laws.law(found.holding).rules, laws.law(found.rules).rules
        answer = answer_between(holding, rules, settings.rules)
    difference, last = found.difference, found.last_run
    moved = [
        Moved(place.municipality, place.reason, refusion, medfinansiering, rows)
        for place, (refusion, medfinansiering, rows) in difference.money.items()
    ]
    return KeptDifference(
        *_id_and_user(), REPLAY, found.rules, found.holding, answer, request.scope.municipality,
        found.reports, difference.in_scope, difference.changed,
        last.run if last else None, month_text(last.data_month) if last else "",
        difference.standing, _by_place_and_cause(moved),
    )  # fmt: skip


def difference_of_comparison(settings: Settings, compared: Compared) -> KeptDifference:
    """Return what a comparison of two rule sets has found, as it is kept."""
    lines = compared.comparison.lines("municipality")
    moved = [
        Moved(line.name, RULE_CHANGE, *line.difference, 0) for line in lines if any(line.difference)
    ]
    return KeptDifference(
        *_id_and_user(), COMPARISON, compared.b.name, compared.a.name,
        answer_between(compared.a, compared.b, settings.rules), "",
        compared.lines - compared.rejected, 0, compared.comparison.citizens(), None, "",
        {line.name: [*line.a] for line in lines}, moved,
    )  # fmt: skip


def _by_place_and_cause(moved: Iterable[Moved]) -> list[Moved]:
    sums: dict[tuple[str, str], list[int]] = {}
    for each in moved:
        of_both = sums.setdefault(each[:2], [0, 0, 0])
        for at, number in enumerate(each[2:]):
            of_both[at] += number
    return [Moved(*both, *numbers) for both, numbers in sorted(sums.items())]


def _id_and_user() -> tuple[str, str, str]:
    now = datetime.now(UTC)
    name = f"{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"
    return name, f"{now:%Y-%m-%dT%H:%M:%SZ}", operating_user().user


# --- kept -----------------------------------------------------------------------------------------


def keep_difference(operations_dir: Path, difference: KeptDifference) -> None:
    """Keep a difference, in the place of the same one; older ones go. Raises UserError."""
    path = operations_dir / FOLDER / f"{difference.id}.json"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".new")
        draft.write_bytes(orjson.dumps(_fields(difference)))
        draft.replace(path)
    except OSError as error:
        raise UserError(
            f"the difference cannot be kept in {path.parent} (REFUSION_OPERATIONS_DIR):"
            f" {error.strerror}"
        ) from error
    with suppress(OSError):
        _forget_old(operations_dir)


def _fields(difference: KeptDifference) -> dict[str, Any]:
    """Return the fields as they are written: money as lists, in the order of its fields."""
    return asdict(difference) | {"moved": [[*each] for each in difference.moved]}


def _forget_old(operations_dir: Path) -> None:
    """Delete what is beyond the newest, but the newest difference of each answer."""
    answered = set[tuple[str, str]]()
    for number, kept in enumerate(kept_differences(operations_dir)):
        answer = kept.holding, kept.answer
        if number >= MOST_KEPT and (not kept.answer or answer in answered):
            (operations_dir / FOLDER / f"{kept.id}.json").unlink()
        answered.add(answer)


def kept_differences(operations_dir: Path) -> list[KeptDifference]:
    """Return the differences that are kept, the newest first; what cannot be read is left out."""
    paths = sorted((operations_dir / FOLDER).glob("*.json"), reverse=True)
    return [found for path in paths if (found := kept_difference(operations_dir, path.stem))]


def asked_difference(operations_dir: Path, request: str) -> KeptDifference | None:
    """Return the difference that waits for a request, None where this machine has none."""
    waiting = (kept for kept in kept_differences(operations_dir) if not kept.applied)
    return next((kept for kept in waiting if kept.request == request), None)


def forget_request(operations_dir: Path, request: str) -> None:
    """Let a difference wait no more for a request that was refused. Raises UserError."""
    if asked := asked_difference(operations_dir, request):
        keep_difference(operations_dir, replace(asked, request=""))


def kept_difference(operations_dir: Path, name: str) -> KeptDifference | None:
    """Return the difference of an id; None where there is none that can be read."""
    if not NAME.fullmatch(name):
        return None
    try:
        fields = orjson.loads((operations_dir / FOLDER / f"{name}.json").read_bytes())
        moved = [Moved(*each) for each in fields.pop("moved")]
        found = KeptDifference(**fields, moved=moved)
        is_stale = not found.applied and datetime.fromisoformat(found.at) < horizon()
        return replace(found, request="") if is_stale else found
    except (OSError, ValueError, TypeError, KeyError):
        return None
