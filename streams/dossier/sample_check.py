"""Checks the sample of a package: whether it is the one that was drawn, and settles it again."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import orjson

from streams.citizens.rule_sets import LawBook
from streams.dossier.package_frame import DAMAGED, PackageFrame
from streams.dossier.recomputation import (
    PartitionControls,
    PlainRecord,
    Recomputation,
    Recomputed,
    SampledCitizen,
)
from streams.dossier.sample_draw import places_drawn, rank_of
from streams.dossier.tables import MONEY, money_of, rows_of, sample_rows_table
from streams.dossier.zip_file import Content
from streams.kit.errors import UserError

SAMPLES: Final = "stikproever/"
DRAWN: Final = "stikproever/udtraek.csv"
SAMPLE_ROWS: Final = "stikproever/raekker.csv"
Rows = Sequence[Mapping[str, str]]


class CheckedSample(NamedTuple):
    """The citizens of a sample as the package has them, and a sentence for all that is not so."""

    citizens: list[SampledCitizen]
    findings: list[str]


# --- the draw -------------------------------------------------------------------------------------


def draw_findings(drawn: Rows, sums: Rows, frame: PackageFrame) -> Iterator[str]:
    """Yield where the citizens of the sample are not those whom the seed draws."""
    for (place, citizen), times in Counter(map(_who, drawn)).items():
        if times > 1:
            yield f"citizen {citizen} of {place}: drawn {times} times"
    for row in drawn:
        place, citizen = _who(row)
        rank = rank_of(frame.seed, place, citizen)
        if (row["traekning"], row["rang"]) != (str(frame.seed), rank):
            yield f"citizen {citizen} of {place}: the rank is not that of draw {frame.seed}"
    yield from _wrong_places({row["kommune"] for row in drawn}, sums, frame)
    of_place = Counter(row["kommune"] for row in drawn)
    for place, number in of_place.items():
        populations = {int(row["borgere_i_koerslen"]) for row in drawn if row["kommune"] == place}
        due = min(frame.each, max(populations))
        if len(populations) > 1 or number != due:
            yield f"municipality {place}: {number} citizens are in the sample, and not {due}"


def _wrong_places(drawn: set[str], sums: Rows, frame: PackageFrame) -> Iterator[str]:
    """Yield the municipalities that are drawn or left out against their rank.

    One whose money is nothing may have had no row at all, and so was not offered to the draw.
    """
    names = [f"{what}_posteringer" for what in MONEY]
    moved = {row["kommune"] for row in sums if any(money_of(row[name]) for name in names)}
    due = set(places_drawn(frame.seed, moved | drawn, frame.places))
    for place in sorted(due ^ drawn):
        said = "left out of" if place in due else "taken into"
        yield f"municipality {place}: it is {said} the sample against draw {frame.seed}"


def _who(row: Mapping[str, str]) -> tuple[str, str]:
    return row["kommune"], row["borger"]


# --- the citizens ---------------------------------------------------------------------------------


def check_citizens(content: Content, frame: PackageFrame, laws: LawBook) -> CheckedSample:
    """Settle and explain the citizens of the sample again, from the records in the package."""
    recomputation = Recomputation(laws, frame.partitions, frame.journal_topic)
    names = [
        f"{SAMPLES}{place}-{citizen}.json" for place, citizen in map(_who, rows_of(content[DRAWN]))
    ]
    findings = [
        f"{name}: the citizen was drawn, and is not there" for name in names if name not in content
    ]
    files = {name for name in content if name.startswith(SAMPLES) and name.endswith(".json")}
    findings += [f"{name}: nobody has drawn the citizen" for name in sorted(files - {*names})]
    citizens: list[SampledCitizen] = []
    done: list[tuple[SampledCitizen, Recomputed]] = []
    for name in [each for each in names if each in files]:
        try:
            value = orjson.loads(content[name])
            sample = _sample_of(value)
            if name != f"{SAMPLES}{sample.municipality}-{sample.citizen}.json":
                findings.append(f"{name}: it is about another citizen")
            citizens.append(sample)
            recomputed = recomputation.of(sample, controls_of(content, sample.partition))
        except UserError as error:
            findings.append(f"{name}: {error}")
        except DAMAGED:
            findings.append(f"{name}: it, or the control records, is not of its form any more")
        else:
            done.append((sample, recomputed))
            findings += _unlike(value, sample, recomputed)
    if len(done) == len(names) and sample_rows_table(done) != content[SAMPLE_ROWS]:
        findings.append(f"{SAMPLE_ROWS}: the rows of the sample come out otherwise")
    return CheckedSample(citizens, findings)


def _unlike(
    value: Mapping[str, Any], sample: SampledCitizen, recomputed: Recomputed
) -> Iterator[str]:
    yield from recomputed.findings
    if orjson.loads(recomputed.explanation) != value["explanation"]:
        yield f"citizen {sample.citizen}: the explanation comes out otherwise"


def _sample_of(value: Mapping[str, Any]) -> SampledCitizen:
    """Read a citizen of the sample. Raises one of `DAMAGED` where it is none."""
    return SampledCitizen(
        value["municipality"], value["citizen"], value["partition"], _records(value["journal"]),
        _records(value["postings"]),
    )  # fmt: skip


def controls_of(content: Content, partition: int) -> PartitionControls:
    """Read the control records of a partition. Raises one of `DAMAGED` where they are none."""
    kept = orjson.loads(content[f"genberegning/kontrolposter-{partition}.json"])
    return PartitionControls(_records(kept["journal"]), _records(kept["postings"]))


def _records(values: list[Any]) -> list[PlainRecord]:
    return [PlainRecord(*value) for value in values]
