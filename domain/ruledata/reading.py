"""Makes a `RuleSet` of parsed rule files, or an error that names file, entry and field.

Whatever a file says must be understood in whole: an unknown field, a gap between two bands or an
account of an unknown benefit stops the program before it settles anything.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta

from domain.ruledata.amendments import amended
from domain.ruledata.catalogue import read_accounts, read_benefits, read_municipalities
from domain.ruledata.coverage import gaps
from domain.ruledata.dates import dated_values
from domain.ruledata.fields import (
    PERCENT,
    REMARK_FIELDS,
    SOURCE_FIELDS,
    RuleEntry,
    check_unit,
    combined_source,
    document,
    entry,
    named_values,
    read_not_coded,
    source_of,
)
from domain.ruledata.ruleset import (
    Band,
    Benefit,
    Dates,
    Fleksbidrag,
    FlexBasis,
    Legacy,
    Question,
    Reset,
    RuleError,
    RuleSet,
    Staircase,
)
from domain.ruledata.switches import RuleSetFile, merged, read_rule_set_files

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

MADE_TO_COUNT = {("UFB", "BENEFIT"): ("UFB",), ("LEGACY_COUNT", "ALWAYS"): ("LYG", "FPG")}
"""The benefits that an answer makes count: refugees with 100 %, and the codes of old cases."""


def rule_set_from(own_file: str, documents: Mapping[str, object]) -> RuleSet:
    """The rule set of a file.

    `documents` are the parsed rule files by name, and all rule set files that it builds on.

    Raises:
        RuleError: a file is missing or unknown, or something in it is; file, entry and field are
        named.
    """
    chain = read_rule_set_files(documents, own_file)
    known = dict.fromkeys((*FILES, *(own.file for own in chain)))
    for file in documents:
        if file not in known:
            raise RuleError(f"{file}: unknown; the rule files are {', '.join(known)}")
    rules = _rule_set(chain[:1], documents, ())
    former: tuple[Staircase, ...] = ()
    for number, own in enumerate(chain[1:], 2):
        former = (*former, *rules.staircases)
        for part, changed in _changes(own, documents):
            documents = {**documents, **changed}
            try:
                rules = _rule_set(chain[:number], documents, former)
            except RuleError as error:  # the files that are changed were good
                raise RuleError(f"{own.file}: {part}: {error}") from error
        rules = _rule_set(chain[:number], documents, former)
    return rules


def _changes(
    own: RuleSetFile, documents: Mapping[str, object]
) -> Iterator[tuple[str, dict[str, object]]]:
    """The rule files that a rule set file changes, by the part of it that changes them."""
    if own.overrides:
        replaced = {file: merged(documents[file], part) for file, part in own.overrides.items()}
        yield "overrides", replaced
        documents = {**documents, **replaced}
    if own.amends:
        yield "changes of the catalogue", amended(own.top, documents)


def _rule_set(
    chain: Sequence[RuleSetFile],
    documents: Mapping[str, object],
    former: tuple[Staircase, ...],
) -> RuleSet:
    """The rule set of the last file of a chain, whose changes are in the documents.

    `former` are the staircases of those before it: accounts were made for their rates, and none
    is invented for others.
    """
    own = chain[-1]
    dates = _dates(documents)
    staircases = _staircases(documents, dates)
    benefits = read_benefits(documents)
    fleksbidrag = _fleksbidrag(documents)
    rules = RuleSet(
        name=own.name,
        benefits=_answered(benefits, own.questions),
        municipalities=read_municipalities(documents),
        staircases=staircases,
        reset=_reset(documents, dates),
        dates=dates,
        accounts=read_accounts(documents, benefits, (*former, *staircases)),
        switches={switch: question.value for switch, question in own.questions.items()},
        questions=own.questions,
        fleksbidrag=fleksbidrag,
        flex_basis=_flex_basis(documents, fleksbidrag.basis_percent),
        legacy=_legacy(documents),
        dated=(*own.dated, *dated_values(documents)),
        not_coded=tuple(
            left_out
            for file in (*FILES, *(each.file for each in chain))
            for left_out in read_not_coded(documents, file)
        ),
    )
    _check_every_day(rules)
    _check_shares(rules)
    return rules


def _check_shares(rules: RuleSet) -> None:
    """A benefit with its own points has a percentage from 0 to 100 on every step."""
    for benefit in rules.benefits.values():
        for staircase in rules.staircases:
            for band in staircase.bands if benefit.state_points else ():
                if not 0 <= benefit.share(band) <= 100:
                    raise RuleError(
                        f"state_share: {benefit.code}: {benefit.state_points} points more make"
                        f" {benefit.mechanism} {benefit.share(band)} % from week {band.from_week}"
                    )


def _check_every_day(rules: RuleSet) -> None:
    """One value of every rule on every day that counts, or the data says why there is none."""
    if problems := gaps(rules.dated, rules.dates.counting_from, date.max):
        raise RuleError(problems[0])


def _answered(
    benefits: dict[str, Benefit], questions: Mapping[str, Question]
) -> dict[str, Benefit]:
    """The catalogue, in which some answers make benefits count that otherwise are other support."""
    counting = [
        code
        for (switch, value), codes in MADE_TO_COUNT.items()
        if questions[switch].value == value
        for code in codes
    ]
    return benefits | {
        code: replace(benefits[code], counts=True) for code in counting if code in benefits
    }


# The staircase (§ 5)


def _staircases(documents: Mapping[str, object], dates: Dates) -> tuple[Staircase, ...]:
    top = document(documents, "staircase.yaml", ("staircases",))
    entries = [
        entry(
            top.file, f"staircase {number}", value, ("unit", "bands", *SOURCE_FIELDS), REMARK_FIELDS
        )
        for number, value in enumerate(top.items("staircases"), 1)
    ]
    staircases = tuple(_staircase(read) for read in entries)
    if staircases[0].valid_from > dates.turn_of_year_rate_from:
        raise entries[0].error("valid_from", f"gap: rates begin on {dates.turn_of_year_rate_from}")
    _check_follow(entries, staircases)
    return staircases


def _staircase(read: RuleEntry) -> Staircase:
    check_unit(read, PERCENT)
    start, end = read.period()
    if start.isoweekday() != 1:
        raise read.error(
            "valid_from", f"{start} is not a Monday; weeks are never parted between staircases"
        )
    return Staircase(start, end, _bands(read), source_of(read))


def _check_follow(entries: list[RuleEntry], staircases: tuple[Staircase, ...]) -> None:
    """Every staircase ends the day before the next one begins, and the last is open."""
    for number, read in enumerate(entries):
        end = staircases[number].valid_to
        following = staircases[number + 1].valid_from if number + 1 < len(staircases) else None
        expected = following - timedelta(days=1) if following else None
        if end != expected:
            wanted = (
                f"{expected}, the day before the next staircase"
                if expected
                else "open: none follows"
            )
            raise read.error(
                "valid_to", f"{end or 'open'} leaves a gap or an overlap; it must be {wanted}"
            )


def _bands(staircase: RuleEntry) -> tuple[Band, ...]:
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
        raise entries[-1].error(
            "to_week", f"leaves a gap: week {expected} has no band; the last one must be open"
        )
    return tuple(bands)


def _band(read: RuleEntry, expected_start: int | None) -> Band:
    """A band that begins in the week after the one before it (None: which was open)."""
    start = read.whole("from_week", 1, 9999)
    end = None if read.fields["to_week"] is None else read.whole("to_week", start, 9999)
    if expected_start is None or start < expected_start:
        raise read.error("from_week", f"overlap: week {start} lies in the band before too")
    if start > expected_start:
        raise read.error("from_week", f"gap: week {expected_start} has no band")
    refusion, medfinansiering = (
        read.whole("refusion", 0, 100),
        read.whole("medfinansiering", 0, 100),
    )
    if refusion + medfinansiering != 100:
        raise read.error(
            "medfinansiering", f"refusion {refusion} + medfinansiering {medfinansiering} is not 100"
        )
    return Band(start, end, refusion, medfinansiering, read.text("reference"))


# The dates (§§ 29 and 30) and the reset (§ 6)


def _dates(documents: Mapping[str, object]) -> Dates:
    top = document(documents, "dates.yaml", ("dates",))
    names = ("counting_from", "rates_from_month", "turn_of_year_week", "turn_of_year_rate_from")
    values = named_values(top, "dates", dict.fromkeys(names))
    turn_week, rate_week = (
        _monday(values["turn_of_year_week"]),
        _monday(values["turn_of_year_rate_from"]),
    )
    if turn_week + timedelta(days=7) != rate_week:
        raise values["turn_of_year_rate_from"].error(
            "value", f"{rate_week} is not the week after {turn_week}"
        )
    return Dates(
        counting_from=values["counting_from"].day("value"),
        rates_from_month=values["rates_from_month"].text("value", r"[0-9]{4}-(0[1-9]|1[0-2])"),
        turn_of_year_week=turn_week,
        turn_of_year_rate_from=rate_week,
        source=combined_source(values),
    )


def _monday(read: RuleEntry) -> date:
    value = read.day("value")
    if value.isoweekday() != 1:
        raise read.error("value", f"{value} is not a Monday")
    return value


def _reset(documents: Mapping[str, object], dates: Dates) -> Reset:
    top = document(documents, "reset.yaml", ("reset",))
    units = {
        "self_support_weeks": "whole calendar weeks",
        "within_years": "years before the week's Sunday",
    }
    values = named_values(top, "reset", units)
    for read in values.values():
        _check_always_valid(read, dates.counting_from)
    return Reset(
        self_support_weeks=values["self_support_weeks"].whole("value", 1, 9999),
        within_years=values["within_years"].whole("value", 1, 99),
        source=combined_source(values),
    )


def _check_always_valid(read: RuleEntry, start: date) -> None:
    """There is one reset for all weeks that are counted: another one later would need code."""
    valid_from, valid_to = read.period()
    if valid_from > start:
        raise read.error(
            "valid_from",
            f"gap: weeks count from {start}, and there is no other reset before this one",
        )
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


def _basis_year(read: RuleEntry) -> int:
    year = read.whole("year", 2016, 2099)
    if read.period() != (date(year, 1, 1), date(year, 12, 31)):
        raise read.error(
            "valid_to", f"valid_from and valid_to are not the first and the last day of {year}"
        )
    return year


def _basis(read: RuleEntry, percent: int) -> FlexBasis:
    check_unit(read, "kroner a month")
    highest, kroner = read.whole("highest_benefit", 1, 99_999), read.whole("basis", 1, 99_999)
    if kroner != (highest * percent + 50) // 100:
        raise read.error("basis", f"{kroner} is not {percent} % of {highest} to the nearest krone")
    return FlexBasis(kroner, highest, source_of(read))


def _legacy(documents: Mapping[str, object]) -> Legacy:
    top = document(documents, "legacy.yaml", ("legacy",))
    days = (
        "flex_referred_from",
        "flex_transition_from",
        "flex_transition_to",
        "disability_pension_awarded_from",
    )
    values = named_values(top, "legacy", {**dict.fromkeys(days), "flex_refusion": PERCENT})
    read_days = {name: values[name].day("value") for name in days}
    if read_days["flex_transition_to"] < read_days["flex_transition_from"]:
        raise values["flex_transition_to"].error("value", "lies before flex_transition_from")
    return Legacy(
        **read_days,
        flex_refusion=values["flex_refusion"].whole("value", 0, 100),
        source=combined_source(values),
    )
