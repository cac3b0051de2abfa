"""Holds the figures of a package against each other: its proof of replay, and its control sums."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from projections.runs.files import comma_kroner
from streams.dossier.package_frame import PackageFrame
from streams.dossier.tables import MONEY, money_of

Rows = Sequence[Mapping[str, str]]


def proof_findings(rows: Rows, frame: PackageFrame) -> Iterator[str]:
    """Yield what does not hold in the proof: each partition once, booked as it comes out anew."""
    numbers = Counter(row["partition"] for row in rows)
    if len(rows) != frame.partitions or numbers.keys() != {str(at) for at in range(len(rows))}:
        yield (
            f"the proof of replay has {len(rows)} rows, and not one for each of the"
            f" {frame.partitions} partitions of the system"
        )
    for row in rows:
        if row["sha256_bogfoert"] != row["sha256_forfra"]:
            yield f"partition {row['partition']}: what is booked is not what came out anew"
        elif row["ens"] != "ja" or row["meddelelser_bogfoert"] != row["meddelelser_forfra"]:
            yield f"partition {row['partition']}: the numbers of its row contradict its digests"


def sum_findings(rows: Rows) -> Iterator[str]:
    """Yield the municipalities whose sums of all sources are not the same."""
    for place, times in Counter(row["kommune"] for row in rows).items():
        if times > 1:
            yield f"municipality {place}: it has {times} rows of control sums"
    for row in rows:
        stated, apart = money_of(row["forskel"]), max(_apart(row, what) for what in MONEY)
        if stated or apart:
            said = "" if stated == apart else f"said to be apart by {comma_kroner(stated)}, and "
            yield (
                f"municipality {row['kommune']}: the control sums are {said}apart by"
                f" {comma_kroner(apart)}"
            )


def _apart(row: Mapping[str, str], what: str) -> int:
    """Return the largest difference between sources in a kind of money, in øre."""
    names = {name for name in row if name.startswith(f"{what}_")}
    money = [money_of(row[name]) for name in names | {f"{what}_posteringer", f"{what}_ledger"}]
    return max(money) - min(money)
