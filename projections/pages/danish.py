"""The Danish words of the law on paper: marks, units, names of rules, dates and numbers."""

from collections.abc import Mapping
from datetime import date
from typing import Final

from domain.ruledata.ruleset import Absence, DatedValue, Evidence

EVIDENCE: Final[Mapping[Evidence, str]] = {
    "verified": "verificeret",
    "inferred": "udledt",
    "expert": "ekspertviden",
    "assumed": "antaget",
}
MARKS: Final[Mapping[Evidence, str]] = {
    "verified": "står i en offentlig kilde, som er læst",
    "inferred": "følger af det, der er verificeret; ræsonnementet står ved reglen",
    "expert": "kendt af fagfolk, men uden en kilde, der kan henvises til",
    "assumed": "valgt, fordi reglen ikke kunne fastslås",
}
BEFORE: Final = {"not_in_force": "ikke i kraft", "rate_missing": "ikke kendt"}
AFTER: Final = {
    "ceased": "ophørt",
    "rate_missing": "ikke kendt; der gives ingen række, men en advisering (`rate_missing`)",
}
UNITS: Final = {
    "": "",
    "percent of the amount": "pct. af beløbet",
    "whole calendar weeks": "hele kalenderuger",
    "years before the week's Sunday": "år før ugens søndag",
    "percent of B less R": "pct. af B − R",
    "kroner a month at the level of 2015": "kr. om måneden i 2015-niveau",
    "percent of B": "pct. af B",
    "percent of the month's wages without pension": "pct. af månedens løn uden pension",
    "percent of the highest unemployment benefit": "pct. af de højeste dagpenge",
    "kroner a month": "kr. om måneden",
}
FIELDS: Final = {
    "valid_from": "startdagen",
    "valid_to": "slutdagen",
    "rate": "satsen",
    "counts": "om ugen tæller",
    "blocks": "om ugen spærrer",
    "highest_benefit": "de højeste dagpenge",
    "reference": "henvisningen",
    "last_new_case": "den sidste dag for en ny sag",
    "state_points": "tillægget til statens andel",
    "note": "bemærkningen",
}
NAMES: Final = {
    "staircase": "Refusionstrappen",
    "reset.self_support_weeks": "Uger med selvforsørgelse til en ny start",
    "reset.within_years": "Vinduet, de skal ligge i",
    "dates.counting_from": "Tællingens første dag",
    "dates.rates_from_month": "Første måned med satser",
    "dates.turn_of_year_week": "Årsskifteugen",
    "dates.turn_of_year_rate_from": "Ugen, hvis procent årsskifteugen får",
    "fleksbidrag.only_at_refusion": "Trinnet, som giver fleksbidrag",
    "fleksbidrag.share_percent": "Bidragets andel",
    "fleksbidrag.cap_2015_kroner": "Lovens loft",
    "fleksbidrag.cap_percent": "Loftet som andel af B",
    "fleksbidrag.wage_reduction_percent": "Nedsættelse for løn",
    "fleksbidrag.basis_percent": "B som andel af de højeste dagpenge",
    "flex_basis": "B, beløbet som fleksløntilskuddet beregnes af",
    "legacy.flex_referred_from": "På trappen, når visiteret fra",
    "legacy.flex_transition_from": "Overgangsgruppen: visiteret tidligst",
    "legacy.flex_transition_to": "Overgangsgruppen: visiteret senest",
    "legacy.disability_pension_awarded_from": "Førtidspension på trappen, når tilkendt fra",
    "legacy.flex_refusion": "Refusion i gamle fleksjobsager",
    "municipalities.1": "Kommunekode, som er verificeret",
    "municipalities.2": "De øvrige kommunekoder",
    "validity": "Regelsættet",
}
MONTHS: Final = (
    *("januar", "februar", "marts", "april", "maj", "juni"),
    *("juli", "august", "september", "oktober", "november", "december"),
)


def period_text(value: DatedValue) -> str:
    """Write the period of a value, and why there is no value before and after it."""
    text = f"fra {day_text(value.valid_from)}"
    if value.valid_to:
        text += f" til og med {day_text(value.valid_to)}"
    reasons = [
        *_reason("før", BEFORE, value.before_first),
        *_reason("derefter", AFTER, value.after_last),
    ]
    return text + (f" ({'; '.join(reasons)})" if reasons else "")


def _reason(when: str, words: Mapping[str, str], absence: Absence | None) -> list[str]:
    return [f"{when}: {words[absence]}"] if absence else []


def value_text(value: object) -> str:
    """Write a value of a rule in Danish."""
    if isinstance(value, date):
        return day_text(value)
    return number_text(value) if isinstance(value, int) else str(value)


def number_text(value: int) -> str:
    """Write a number with Danish separators, such as `12.345`."""
    return f"{value:,}".replace(",", ".")


def day_text(value: date) -> str:
    """Write a date in Danish, such as `4. januar 2016`."""
    return f"{value.day}. {MONTHS[value.month - 1]} {value.year}"
