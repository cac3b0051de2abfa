"""From parsed rule files to a `RuleSet`, or to an error that names file, entry and field.

Whatever a file says must be understood in whole: an unknown field, a gap between two bands or an
account of an unknown benefit stops the program before it settles anything.
"""

from collections.abc import Mapping
from datetime import date, timedelta

from domain.rulecatalogue import read_accounts, read_benefits, read_municipalities
from domain.rulefields import (
    PERCENT,
    REMARK_FIELDS,
    SOURCE_FIELDS,
    Entry,
    check_unit,
    combined_source,
    document,
    entry,
    named_values,
    refuse_second,
    source_of,
)
from domain.ruleset import Band, Dates, Fleksbidrag, FlexBasis, Legacy, Reset, RuleError, RuleSet, Source, Staircase

FILES = (
    "staircase.yaml",
    "reset.yaml",
    "dates.yaml",
    "catalogue.yaml",
    "municipalities.yaml",
    "accounts.yaml",
    "fleksbidrag.yaml",
    "legacy.yaml",
)
"""The rule files that every rule set reads, besides its own."""

FOLLOWED: Mapping[str, str] = {
    "SPLIT": "CALENDAR_DAYS",
    "TOUCH": "NET_POSITIVE",
    "WINDOW": "DATES_AT_SUNDAY",
    "RESET_AT": "WHEN_REACHED",
    "WEEK_MONTH": "SUNDAY",
    "ADP_WEEKS": "WHOLE_PERIOD",
    "OTHER_LIST": "CATALOGUE",
    "ABROAD_PRISON": "SELF_SUPPORT",
    "UFB": "OTHER",
    "ROUND": "ROW_ORE",
    "FB_READING": "B",
    "FB_PRORATION": "BY_DAYS",
    "RECALC": "ALL",
    "NO15": "CHILD_GRANT_WITHOUT_TOUCH",
    "RESIDENCE": "BY_DAYS",
    "LEGACY_COUNT": "ON_TRANSFER",
    "FP6": "EXPLICIT_INPUT",
    "LEGACY_RATES": "TABLE",
}
"""The one value of each switch that the program follows; a rule set with another is refused."""


def rule_set_from(name: str, documents: Mapping[str, object]) -> RuleSet:
    """The rule set of this name. `documents` are the parsed rule files by name, `rule-sets/<name>.yaml` among them.

    Raises:
        RuleError: a file is missing or unknown, or something in it is; file, entry and field are named.
    """
    own_file = f"rule-sets/{name}.yaml"
    for file in documents:
        if file not in (*FILES, own_file):
            raise RuleError(f"{file}: unknown; the rule files are {', '.join((*FILES, own_file))}")
    dates = _dates(documents)
    staircases = _staircases(documents, dates)
    benefits = read_benefits(documents)
    fleksbidrag = _fleksbidrag(documents)
    switches = _switches(documents, own_file, name)
    return RuleSet(
        name=name,
        benefits=benefits,
        municipalities=read_municipalities(documents),
        staircases=staircases,
        reset=_reset(documents, dates),
        dates=dates,
        accounts=read_accounts(documents, benefits, staircases),
        switches={switch: value for switch, (value, _) in switches.items()},
        switch_sources={switch: source for switch, (_, source) in switches.items()},
        fleksbidrag=fleksbidrag,
        flex_basis=_flex_basis(documents, fleksbidrag.basis_percent),
        legacy=_legacy(documents),
    )


# The staircase (§ 5)


def _staircases(documents: Mapping[str, object], dates: Dates) -> tuple[Staircase, ...]:
    top = document(documents, "staircase.yaml", ("staircases",))
    entries = [
        entry(top.file, f"staircase {number}", value, ("unit", "bands", *SOURCE_FIELDS), REMARK_FIELDS)
        for number, value in enumerate(top.items("staircases"), 1)
    ]
    staircases = tuple(_staircase(read) for read in entries)
    if staircases[0].valid_from > dates.turn_of_year_rate_from:
        raise entries[0].error("valid_from", f"gap: rates begin on {dates.turn_of_year_rate_from}")
    _check_follow(entries, staircases)
    return staircases


def _staircase(read: Entry) -> Staircase:
    check_unit(read, PERCENT)
    start, end = read.period()
    if start.isoweekday() != 1:
        raise read.error("valid_from", f"{start} is not a Monday; weeks are never parted between staircases")
    return Staircase(start, end, _bands(read), source_of(read))


def _check_follow(entries: list[Entry], staircases: tuple[Staircase, ...]) -> None:
    """Every staircase ends the day before the next one begins, and the last is open."""
    for number, read in enumerate(entries):
        end = staircases[number].valid_to
        following = staircases[number + 1].valid_from if number + 1 < len(staircases) else None
        expected = following - timedelta(days=1) if following else None
        if end != expected:
            wanted = f"{expected}, the day before the next staircase" if expected else "open: none follows"
            raise read.error("valid_to", f"{end or 'open'} leaves a gap or an overlap; it must be {wanted}")


def _bands(staircase: Entry) -> tuple[Band, ...]:
    fields = ("from_week", "to_week", "refusion", "medfinansiering", "reference")
    entries = [
        entry(staircase.file, f"{staircase.name}, band {number}", value, fields)
        for number, value in enumerate(staircase.items("bands"), 1)
    ]
    expected: int | None = 1
    bands = []
    for read in entries:
        band = _band(read, expected)
        expected = None if band.to_week is None else band.to_week + 1
        bands.append(band)
    if expected is not None:
        raise entries[-1].error("to_week", f"leaves a gap: week {expected} has no band; the last one must be open")
    return tuple(bands)


def _band(read: Entry, expected_start: int | None) -> Band:
    """A band that begins in the week after the one before it (None: which was open)."""
    start = read.whole("from_week", 1, 9999)
    end = None if read.fields["to_week"] is None else read.whole("to_week", start, 9999)
    if expected_start is None or start < expected_start:
        raise read.error("from_week", f"overlap: week {start} lies in the band before too")
    if start > expected_start:
        raise read.error("from_week", f"gap: week {expected_start} has no band")
    refusion, medfinansiering = read.whole("refusion", 0, 100), read.whole("medfinansiering", 0, 100)
    if refusion + medfinansiering != 100:
        raise read.error("medfinansiering", f"refusion {refusion} + medfinansiering {medfinansiering} is not 100")
    return Band(start, end, refusion, medfinansiering, read.text("reference"))


# The dates (§§ 29 and 30) and the reset (§ 6)


def _dates(documents: Mapping[str, object]) -> Dates:
    top = document(documents, "dates.yaml", ("dates",))
    names = ("counting_from", "rates_from_month", "turn_of_year_week", "turn_of_year_rate_from")
    values = named_values(top, "dates", dict.fromkeys(names))
    turn_week, rate_week = _monday(values["turn_of_year_week"]), _monday(values["turn_of_year_rate_from"])
    if turn_week + timedelta(days=7) != rate_week:
        raise values["turn_of_year_rate_from"].error("value", f"{rate_week} is not the week after {turn_week}")
    return Dates(
        counting_from=values["counting_from"].day("value"),
        rates_from_month=values["rates_from_month"].text("value", r"[0-9]{4}-(0[1-9]|1[0-2])"),
        turn_of_year_week=turn_week,
        turn_of_year_rate_from=rate_week,
        source=combined_source(values),
    )


def _monday(read: Entry) -> date:
    value = read.day("value")
    if value.isoweekday() != 1:
        raise read.error("value", f"{value} is not a Monday")
    return value


def _reset(documents: Mapping[str, object], dates: Dates) -> Reset:
    top = document(documents, "reset.yaml", ("reset",))
    units = {"self_support_weeks": "whole calendar weeks", "within_years": "years before the week's Sunday"}
    values = named_values(top, "reset", units)
    for read in values.values():
        _check_always_valid(read, dates.counting_from)
    return Reset(
        self_support_weeks=values["self_support_weeks"].whole("value", 1, 9999),
        within_years=values["within_years"].whole("value", 1, 99),
        source=combined_source(values),
    )


def _check_always_valid(read: Entry, start: date) -> None:
    """There is one reset for all weeks that are counted: another one later would need code."""
    valid_from, valid_to = read.period()
    if valid_from > start:
        raise read.error("valid_from", f"gap: weeks count from {start}, and there is no other reset before this one")
    if valid_to is not None:
        raise read.error("valid_to", "gap: there is no other reset after this one")


# Fleksbidrag (§ 7) and old cases (§ 30, stk. 2-4)


def _fleksbidrag(documents: Mapping[str, object]) -> Fleksbidrag:
    top = document(documents, "fleksbidrag.yaml", ("fleksbidrag", "flex_basis"))
    units = {
        "only_at_refusion": PERCENT,
        "share_percent": "percent of B less R",
        "cap_2015_kroner": "kroner a month at the level of 2015",
        "cap_percent": "percent of B",
        "wage_reduction_percent": "percent of the month's wages without pension",
        "basis_percent": "percent of the highest unemployment benefit",
    }
    values = named_values(top, "fleksbidrag", units)
    return Fleksbidrag(
        only_at_refusion=values["only_at_refusion"].whole("value", 0, 100),
        share_percent=values["share_percent"].whole("value", 0, 100),
        cap_2015_kroner=values["cap_2015_kroner"].whole("value", 0, 99_999),
        cap_percent=values["cap_percent"].whole("value", 0, 100),
        wage_reduction_percent=values["wage_reduction_percent"].whole("value", 0, 100),
        basis_percent=values["basis_percent"].whole("value", 0, 100),
        source=combined_source(values),
    )


def _flex_basis(documents: Mapping[str, object], percent: int) -> dict[int, FlexBasis]:
    """B by year, without gaps between the first and the last year."""
    top = document(documents, "fleksbidrag.yaml", ("fleksbidrag", "flex_basis"))
    fields = ("year", "highest_benefit", "basis", "unit", *SOURCE_FIELDS)
    bases: dict[int, FlexBasis] = {}
    for number, value in enumerate(top.items("flex_basis"), 1):
        read = entry(top.file, f"flex_basis {number}", value, fields, REMARK_FIELDS)
        year = _basis_year(read)
        if bases and year != max(bases) + 1:
            raise read.error("year", f"{year} does not follow {max(bases)}: a gap or an overlap")
        bases[year] = _basis(read, percent)
    return bases


def _basis_year(read: Entry) -> int:
    year = read.whole("year", 2016, 2099)
    if read.period() != (date(year, 1, 1), date(year, 12, 31)):
        raise read.error("valid_to", f"valid_from and valid_to are not the first and the last day of {year}")
    return year


def _basis(read: Entry, percent: int) -> FlexBasis:
    check_unit(read, "kroner a month")
    highest, kroner = read.whole("highest_benefit", 1, 99_999), read.whole("basis", 1, 99_999)
    if kroner != (highest * percent + 50) // 100:
        raise read.error("basis", f"{kroner} is not {percent} % of {highest} to the nearest krone")
    return FlexBasis(kroner, highest, source_of(read))


def _legacy(documents: Mapping[str, object]) -> Legacy:
    top = document(documents, "legacy.yaml", ("legacy",))
    days = ("flex_referred_from", "flex_transition_from", "flex_transition_to", "disability_pension_awarded_from")
    values = named_values(top, "legacy", {**dict.fromkeys(days), "flex_refusion": PERCENT})
    read_days = {name: values[name].day("value") for name in days}
    if read_days["flex_transition_to"] < read_days["flex_transition_from"]:
        raise values["flex_transition_to"].error("value", "lies before flex_transition_from")
    return Legacy(
        **read_days, flex_refusion=values["flex_refusion"].whole("value", 0, 100), source=combined_source(values)
    )


# The switches


def _switches(documents: Mapping[str, object], file: str, name: str) -> dict[str, tuple[str, Source]]:
    """The value and the source of every switch, by its name."""
    top = document(documents, file, ("name", "switches"))
    if top.text("name") != name:
        raise top.error("name", f"is not {name!r}, the name of the file")
    switches: dict[str, tuple[str, Source]] = {}
    for number, value in enumerate(top.items("switches"), 1):
        entry_name = str(value["name"]) if isinstance(value, dict) and "name" in value else f"number {number}"
        fields = ("id", "name", "question", "value", "alternatives", *SOURCE_FIELDS)
        read = entry(file, entry_name, value, fields, REMARK_FIELDS)
        refuse_second(read, "name", _switch_name(read), switches)
        switches[entry_name] = (read.text("value"), source_of(read))
    missing = [switch for switch in FOLLOWED if switch not in switches]
    if missing:
        raise top.error("switches", f"no entry for {', '.join(missing)}")
    return switches


def _switch_name(read: Entry) -> str:
    """The name of a switch that exists, set to the value that the program follows."""
    name = read.text("name")
    if name not in FOLLOWED:
        raise read.error("name", f"{name!r} is no switch; they are {', '.join(FOLLOWED)}")
    if read.text("value") != FOLLOWED[name]:
        raise read.error("value", f"{read.text('value')!r} is not coded; the program follows {FOLLOWED[name]}")
    _check_remarks(read)
    return name


def _check_remarks(read: Entry) -> None:
    """What only people read about a switch is read here, so that it is there."""
    read.text("id", r"Q[0-9]+")
    read.text("question")
    read.period()
    alternatives = read.fields["alternatives"]
    if not isinstance(alternatives, list) or not all(isinstance(word, str) for word in alternatives):
        raise read.error("alternatives", "is not a list of the words for what is not followed")
    if read.text("value") in alternatives:
        raise read.error("alternatives", f"has {read.text('value')}, the value that is followed")
