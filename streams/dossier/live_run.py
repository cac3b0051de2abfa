"""Holds a package against the run as the topics have it today.

Offsets, and headers with them, are not compared: a journal that was restored has others.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from streams.dossier.package_content import PackageRequest
from streams.dossier.package_frame import PackageFrame
from streams.dossier.recomputation import PlainRecord, SampledCitizen
from streams.dossier.run_part import FoldedPart, RunPart, Sums, added
from streams.dossier.sample_draw import Drawn
from streams.dossier.tables import money_of

POSTED: Final = (("refusion_posteringer", 2), ("medfinansiering_posteringer", 3))
"""Columns of the control sums that are of the postings, and where their sums are in `Sums`."""
Rows = Sequence[Mapping[str, str]]


class LiveRun(NamedTuple):
    """A run as it was read in the topics, settled anew, with the citizens who are drawn there."""

    parts: list[RunPart]
    anew: list[FoldedPart]
    drawn: list[Drawn]
    samples: list[SampledCitizen]


Readings = Callable[[PackageRequest], LiveRun]
"""Reads a run in the topics."""


def unlike_frame(frame: PackageFrame, live: LiveRun) -> Iterator[str]:
    """Yield what the package says of the run, and the topics say otherwise."""
    first = live.parts[0]
    for name, said, found in (
        ("data month", frame.data_month, first.data_month),
        ("time of closing", frame.closed_at, first.closed_at),
        ("number of partitions", frame.partitions, len(live.parts)),
    ):
        if said != found:
            yield f"the {name} is {said} in the package, and {found} in the topics"


def unlike_proof(rows: Rows, live: LiveRun) -> Iterator[str]:
    """Yield the partitions of which the topics give another proof than the package has."""
    proofs = {row["partition"]: row for row in rows}
    for part, anew in zip(live.parts, live.anew, strict=True):
        row = proofs.get(str(part.partition))
        if row is None:
            yield f"partition {part.partition}: the topics have it, and the package does not"
            continue
        if row["sha256_bogfoert"] != part.digest:
            yield f"partition {part.partition}: the topics have other postings of the run"
        elif (row["meddelelser_bogfoert"], row["raekker"]) != (str(part.messages), str(part.rows)):
            yield f"partition {part.partition}: the topics have another number of rows or messages"
        if row["sha256_forfra"] != anew.digest:
            yield f"partition {part.partition}: the journal gives other postings of the run now"
        elif row["meddelelser_forfra"] != str(anew.messages):
            yield f"partition {part.partition}: the journal gives another number of messages now"
    known = {str(part.partition) for part in live.parts}
    for partition in proofs.keys() - known:
        yield f"partition {partition}: the package has it, and the topics do not"


def unlike_sums(rows: Rows, live: LiveRun) -> Iterator[str]:
    """Yield the municipalities of which the postings in the topics have other sums."""
    posted = added(live.parts)
    said = {row["kommune"]: row for row in rows}
    for place in sorted(posted.keys() | said.keys()):
        found: Sums = posted.get(place, [0, 0, 0, 0])
        row = said.get(place, {})
        if [money_of(row.get(name, "0,00")) for name, _ in POSTED] != [
            found[at] for _, at in POSTED
        ]:
            yield f"municipality {place}: the postings in the topics have other sums"


def unlike_sample(rows: Rows, samples: Sequence[SampledCitizen], live: LiveRun) -> Iterator[str]:
    """Yield where another citizen is drawn in the topics, or one has other records there."""
    said = {(row["kommune"], row["borger"]): row for row in rows}
    drawn = {(one.municipality, one.citizen) for one in live.drawn}
    for place, citizen in sorted(drawn - said.keys()):
        yield f"citizen {citizen} of {place}: drawn from the topics, and not in the package"
    for place, citizen in sorted(said.keys() - drawn):
        yield f"citizen {citizen} of {place}: in the package, and not drawn from the topics"
    for place in sorted({place for place, _ in said.keys() & drawn}):
        population = str(sum(part.citizens[place] for part in live.parts))
        if any(row["borgere_i_koerslen"] != population for row in rows if row["kommune"] == place):
            yield f"municipality {place}: the topics have {population} citizens in the run"
    known = {(one.municipality, one.citizen): one for one in live.samples}
    for sample in samples:
        found = known.get((sample.municipality, sample.citizen))
        if found is not None and _values(found) != _values(sample):
            yield f"citizen {sample.citizen}: the topics have other records than the package"


def _values(sample: SampledCitizen) -> tuple[int, list[object], list[object]]:
    return sample.partition, _contents(sample.journal), _contents(sample.postings)


def _contents(records: Sequence[PlainRecord]) -> list[object]:
    return [(record.key, record.value) for record in records]
