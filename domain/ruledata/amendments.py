"""A rule set file changes the catalogue of the rule set that it builds on (`amended`).

It may add benefits and accounts, close benefits that exist, and raise the State's share of some:

    benefits:                        # entries as in catalogue.yaml
      - {code: HFP, name: ..., mechanism: refusion, rate: staircase, counts: yes, ...}
    accounts: [...]                  # entries as in accounts.yaml
    closed:
      - benefits: [RFY, REV]
        last_new_case: 2026-06-30    # no case may begin later; a payment of a new one is noticed
        last_day: 2027-12-31         # no day later can be reported
        reference: "lov ..."
        evidence: assumed
    state_share:
      - benefits: [SDP-B]
        points: 15                   # refusion 80 % becomes 95 %
        unit: percentage points
        reference: "..."
        evidence: assumed

The result is ordinary rule files, so that everything which reads `catalogue.yaml` reads these too.
"""

from collections.abc import Callable, Mapping
from typing import Any

from domain.ruledata.fields import EVIDENCE, RuleEntry, check_unit, entry, shown

FIELDS = ("benefits", "accounts", "closed", "state_share")
"""The fields of a rule set file that change the catalogue."""

POINTS = "percentage points"

Fields = dict[str, Any]
"""The fields of one catalogue entry."""


def amended(top: RuleEntry, documents: Mapping[str, object]) -> dict[str, object]:
    """The rule files that a rule set file changes, with its changes; `documents` have been read.

    Raises:
        RuleError: a closing or a share does not fit the catalogue. Entries that are added are
        checked when the result is read.
    """
    catalogue: Any = documents["catalogue.yaml"]
    entries: dict[str, Fields] = {fields["code"]: fields for fields in catalogue["benefits"]}
    _change(top, "closed", entries, ("last_new_case", "last_day"), _closed)
    _change(top, "state_share", entries, ("points", "unit"), _with_points)
    changed: dict[str, object] = {
        "catalogue.yaml": catalogue | {"benefits": [*entries.values(), *_added(top, "benefits")]}
    }
    if "accounts" in top.fields:
        accounts: Any = documents["accounts.yaml"]
        added = _added(top, "accounts")
        changed["accounts.yaml"] = accounts | {"accounts": [*accounts["accounts"], *added]}
    return changed


def _added(top: RuleEntry, field: str) -> list[object]:
    return top.items(field) if field in top.fields else []


def _change(
    top: RuleEntry,
    field: str,
    entries: dict[str, Fields],
    own_fields: tuple[str, ...],
    change: Callable[[RuleEntry, Fields], Fields],
) -> None:
    """Carry out every item of a list of changes on the entries of the benefits that it names."""
    for number, value in enumerate(_added(top, field), 1):
        fields = ("benefits", "reference", "evidence")
        read = entry(top.file, f"{field} {number}", value, fields, (*own_fields, "note"))
        for code in read.items("benefits"):
            if not isinstance(code, str) or code not in entries:
                raise read.error(
                    "benefits", f"{shown(code)} is not in the catalogue that this builds on"
                )
            entries[code] = _with_source(read, entries[code], change(read, entries[code]))


def _closed(read: RuleEntry, _fields: Fields) -> Fields:
    """A closed benefit: the last day of a new case, the last day that can be reported, or both."""
    changed: Fields = {}
    if "last_new_case" in read.fields:
        changed["last_new_case"] = read.day("last_new_case")
    if "last_day" in read.fields:
        changed |= {"valid_to": read.day("last_day"), "after_last": "ceased"}
    if not changed:
        raise read.error("last_new_case", "missing, and last_day too: one of them closes a benefit")
    return changed


def _with_points(read: RuleEntry, fields: Fields) -> Fields:
    """A benefit with another share of the State on every step of the staircase."""
    for field in ("points", "unit"):
        if field not in read.fields:
            raise read.error(field, "missing")
    check_unit(read, POINTS)
    if fields["rate"] != "staircase":
        raise read.error("benefits", f"{fields['code']} is not on the staircase")
    return {"state_points": read.whole("points", -100, 100)}


def _with_source(read: RuleEntry, before: Fields, changed: Fields) -> Fields:
    """The entry with its changed fields, each of which has the evidence mark of the change."""
    mark = read.choice("evidence", EVIDENCE)
    marked = dict.fromkeys((field for field in changed if field != "after_last"), mark)
    notes = [before.get("note", ""), read.text("note") if "note" in read.fields else ""]
    sources: Fields = {
        "reference": f"{before['reference']} | {read.text('reference')}",
        "evidence_of": before.get("evidence_of", {}) | marked,
    }
    if note := " ".join(filter(None, notes)):
        sources["note"] = note
    return before | changed | sources
