"""Says in a sentence what a view's figures show: the title of its picture and table."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from projections.lis.answers import Answer, ratio, sums_of_columns
from projections.lis.citizen_lists import SOON_WEEKS
from projections.lis.forecast_views import YES
from streams.web.lis_figures import Speaker

ViewRows = list[dict[str, Any]]
Said = tuple[str, dict[str, object]] | None
"""A key of the words and its values; None where there is nothing to say."""
HALF_WAY: Final = 26
PAST_STEPS: Final = 53
"""The first week of the last step of § 5."""


def finding(answer: Answer, speaker: Speaker, municipality: str | None) -> str:
    """Say what an answer shows; "" where it has no rows."""
    rows = [dict(zip(answer.names, row, strict=True)) for row in answer.rows]
    say = _SAID.get(answer.view)
    if not rows:
        return speaker.word("lis_findings.nothing")
    if say is None or _lacks(answer):
        return ""
    said = say(_Facts(answer, rows, speaker, municipality))
    return speaker.word(f"lis_findings.{said[0]}", **said[1]) if said else ""


def _lacks(answer: Answer) -> bool:
    """Tell whether the rows are summed by fewer columns, or are citizens behind figures."""
    return not _NEEDED.get(answer.view, frozenset()) <= {*answer.names}


class _Facts:
    """An answer's rows, with what most findings ask of them."""

    def __init__(
        self, answer: Answer, rows: ViewRows, speaker: Speaker, municipality: str | None
    ) -> None:
        self.rows = rows
        self.areas = [dict(zip(answer.names, row, strict=True)) for row in answer.areas]
        self.speaker = speaker
        self.municipality = municipality
        self.sums = dict(zip(answer.names, sums_of_columns(answer), strict=True))
        self.listed = answer.listed

    def sum(self, name: str) -> int:
        """Add up a column that adds."""
        return self.sums[name] or 0

    def kroner(self, name: str) -> str:
        """Write the sum of a column in kroner."""
        return self.speaker.kroner(self.sum(name))

    def count(self, number: int) -> str:
        """Write a count."""
        return self.speaker.number("count", number)

    def share(self, part: int, whole: int) -> str:
        """Write a share in percent."""
        return self.speaker.percent(ratio(part, whole) or 0)

    def mean(self, rows: ViewRows, name: str) -> str:
        """Write the mean of a column of percentages."""
        return self.speaker.percent(sum(row[name] for row in rows) // len(rows))

    def by(self, key: str, measure: str) -> tuple[Any, int]:
        """Find the value of a column whose rows sum to most, totals aside."""
        sums: dict[Any, int] = {}
        for row in self.rows:
            if row[key] is not None and ("rate" not in row or row["rate"] is not None):
                sums[row[key]] = sums.get(row[key], 0) + row[measure]
        return max(sums.items(), key=lambda item: item[1], default=(None, 0))


def _beloeb(facts: _Facts) -> Said:
    benefit, ore = facts.by("benefit", "amount_ore")
    whole = facts.sum("amount_ore")
    if benefit is None or whole <= 0:
        return None
    return "beloeb", {
        "benefit": facts.speaker.benefit(benefit),
        "share": facts.share(ore, whole),
        "amount": facts.speaker.kroner(whole),
        "refusion": facts.kroner("refusion_ore"),
        "own": facts.kroner("own_share_ore"),
    }


def _udgifter(facts: _Facts) -> Said:
    without = sum(
        row["amount_ore"]
        for row in facts.rows
        if row["account"] is None and row["benefit"] is not None
    )
    return "udgifter", {
        "amount": facts.kroner("amount_ore"),
        "without": facts.speaker.kroner(without),
    }


def _personer(facts: _Facts) -> Said:
    month = max(row["month"] for row in facts.rows)
    places = {row["municipality"] for row in facts.rows}
    totals = [
        row
        for row in facts.rows
        if row["month"] == month and row["benefit"] is None and row["rate"] is None
    ]
    if len(places) != 1 or not totals:
        return None
    persons = totals[0]["persons"]
    return "personer_one" if persons == 1 else "personer", {
        "persons": facts.count(persons),
        "month": facts.speaker.month(month),
        "full": facts.speaker.number("percent", totals[0]["full_time_persons"]),
    }


def _afregning(facts: _Facts) -> Said:
    closed = [row for row in facts.rows if row["run"] is not None]
    if not closed:
        return None
    last = max(row["run"] for row in closed)
    rows = [row for row in closed if row["run"] == last]
    net = sum(row["finansieringsbeloeb_ore"] for row in rows)
    earlier = sum(row["corrections_ore"] for row in rows)
    return "afregning", {
        "run": last,
        "net": facts.speaker.kroner(net),
        "corrections": facts.speaker.kroner(earlier),
    }


def _korrektioner(facts: _Facts) -> Said:
    key = "korrektioner_up" if facts.sum("net_ore") >= 0 else "korrektioner_down"
    reason, _ = facts.by("reason", "weeks")
    return key, {
        "net": facts.speaker.kroner(abs(facts.sum("net_ore"))),
        "weeks": facts.count(facts.sum("weeks")),
        "reason": facts.speaker.word(f"lis_values.reason__{reason}").lower(),
    }


def _anciennitet(facts: _Facts) -> Said:
    persons = sum(row["persons"] for row in facts.rows)
    long = sum(row["persons"] for row in facts.rows if row["from_week"] >= PAST_STEPS)
    return "anciennitet", {
        "long": facts.count(long),
        "persons": facts.count(persons),
        "share": facts.share(long, persons),
    }


def _paa_vej_ned(facts: _Facts) -> Said:
    if facts.listed is None:
        return None
    return "paa_vej_ned", {
        "citizens": facts.count(facts.listed.counted["soon"]),
        "weeks": SOON_WEEKS,
        "cost": facts.speaker.kroner(facts.listed.counted["soon_ore"]),
    }


def _genoptjening(facts: _Facts) -> Said:
    persons = sum(row["persons"] for row in facts.rows)
    half = sum(row["persons"] for row in facts.rows if row["from_weeks"] >= HALF_WAY)
    return "genoptjening", {"half": facts.count(half), "persons": facts.count(persons)}


def _sammenligning(facts: _Facts) -> Said:
    month = max(row["month"] for row in facts.rows)
    shown = [
        row
        for row in facts.rows
        if row["month"] == month
        and row["municipality"] is not None
        and row["mean_refusion_percent"] is not None
    ]
    shown.sort(key=lambda row: -row["mean_refusion_percent"])
    for place, row in enumerate(shown, 1):
        if row["municipality"] == facts.municipality:
            return "sammenligning_own", {
                "municipality": facts.speaker.municipality(row["municipality"]),
                "place": place,
                "of": len(shown),
                "percent": facts.speaker.number("percent", row["mean_refusion_percent"]),
                "month": facts.speaker.month(month),
            }
    if not shown:
        return "sammenligning_hidden", {"month": facts.speaker.month(month)}
    return "sammenligning", {
        "highest": facts.speaker.number("percent", shown[0]["mean_refusion_percent"]),
        "lowest": facts.speaker.number("percent", shown[-1]["mean_refusion_percent"]),
        "month": facts.speaker.month(month),
    }


def _udvikling(facts: _Facts) -> Said:
    def mean_of(month: str) -> int | None:
        rows = [row for row in facts.rows if row["month"] == month]
        if len(rows) == 1:
            found: int | None = rows[0]["mean_refusion_percent"]
            return found
        return None

    months = sorted({row["month"] for row in facts.rows})
    first, last = mean_of(months[0]), mean_of(months[-1])
    if first is None or last is None or len(months) == 1:
        return None
    return "udvikling_up" if last >= first else "udvikling_down", {
        "first": facts.speaker.number("percent", first),
        "last": facts.speaker.number("percent", last),
        "from_month": facts.speaker.month(months[0]),
        "to_month": facts.speaker.month(months[-1]),
    }


def _overgange(facts: _Facts) -> Said:
    def count(of: Callable[[dict[str, Any]], bool]) -> str:
        return facts.count(sum(row["persons"] for row in facts.rows if of(row)))

    return "overgange", {
        "came": count(lambda row: row["from_benefit"] is None),
        "went": count(lambda row: row["to_benefit"] is None),
        "changed": count(
            lambda row: (
                None not in (row["from_benefit"], row["to_benefit"])
                and row["from_benefit"] != row["to_benefit"]
            )
        ),
    }


def _fleksbidrag(facts: _Facts) -> Said:
    if facts.listed is None:
        return None
    awaited, rows = facts.listed.counted["awaited"], facts.listed.rows
    return "fleksbidrag", {"awaited": facts.count(awaited), "rows": facts.count(rows)}


def _fuldstaendighed(facts: _Facts) -> Said:
    held = sum(row["hold"] is not None for row in facts.rows)
    return ("fuldstaendighed" if held else "fuldstaendighed_good"), {"held": facts.count(held)}


def _forventet(facts: _Facts) -> Said:
    wrong = sum(row["deviation_ore"] != 0 for row in facts.rows)
    return ("forventet" if wrong else "forventet_good"), {"wrong": facts.count(wrong)}


def _kontrol(facts: _Facts) -> Said:
    wrong = sum(row["difference_ore"] != 0 for row in facts.rows)
    return ("kontrol" if wrong else "kontrol_good"), {"wrong": facts.count(wrong)}


def _landet(facts: _Facts) -> Said:
    return "landet", {
        "net": facts.kroner("finansieringsbeloeb_ore"),
        "amount": facts.kroner("amount_ore"),
    }


def _ugens_vaerdi(facts: _Facts) -> Said:
    return "ugens_vaerdi", {"saved": facts.kroner("saved_ore")}


def _mellemkommunalt(facts: _Facts) -> Said:
    return "mellemkommunalt", {"amount": facts.kroner("amount_ore")}


def _afstemning(facts: _Facts) -> Said:
    rest = facts.sum("unexplained_ore")
    is_good = not any(row["unexplained_ore"] for row in facts.rows)
    return ("afstemning_good" if is_good else "afstemning"), {"rest": facts.speaker.kroner(rest)}


def _prognose(facts: _Facts) -> Said:
    """Hold the last month that is told against the first."""
    months = sorted({row["month"] for row in facts.rows})
    first, last = (
        sum(row["net_ore"] for row in facts.rows if row["month"] == month)
        for month in (months[0], months[-1])
    )
    whose = "prognose" if facts.municipality else "prognose_all"
    return f"{whose}_{'up' if last > first else 'down'}", {
        "amount": facts.kroner("net_ore"),
        "change": facts.share(abs(last - first), first),
        "months": facts.count(len(months)),
    }


def _prognosefejl(facts: _Facts) -> Said:
    """Say how large the errors were: of the municipality asked for, else of the country."""
    rows = facts.rows if facts.municipality else facts.areas
    compared = [row for row in rows if row["better"] is not None]
    if not compared:
        return "prognosefejl_none", {}
    better = sum(row["better"] == YES for row in compared)
    told: dict[str, object] = {
        key: facts.mean(compared, f"net_{name}_percent")
        for key, name in (("error", "error"), ("year", "same_month"), ("last", "last_month"))
    }
    told |= {"better": facts.count(better), "rows": facts.count(len(compared))}
    key = "prognosefejl" if facts.municipality else "prognosefejl_all"
    return (f"{key}_good" if better == len(compared) else key), told


def _borger(facts: _Facts) -> Said:
    months = sorted({row["month"] for row in facts.rows})
    return "borger", {
        "from_month": facts.speaker.month(months[0]),
        "to_month": facts.speaker.month(months[-1]),
        "amount": facts.kroner("amount_ore"),
    }


def _linjer(facts: _Facts) -> Said:
    return "linjer", {
        "rows": facts.count(facts.sum("rows")),
        "amount": facts.kroner("amount_ore"),
        "refusion": facts.kroner("refusion_ore"),
        "medfinansiering": facts.kroner("medfinansiering_ore"),
    }


_SAID: Final[Mapping[str, Callable[[_Facts], Said]]] = {
    "beloeb": _beloeb,
    "udgifter": _udgifter,
    "personer": _personer,
    "afregning": _afregning,
    "korrektioner": _korrektioner,
    "anciennitet": _anciennitet,
    "paa-vej-ned": _paa_vej_ned,
    "genoptjening": _genoptjening,
    "sammenligning": _sammenligning,
    "udvikling": _udvikling,
    "mellemkommunalt": _mellemkommunalt,
    "overgange": _overgange,
    "fleksbidrag": _fleksbidrag,
    "fuldstaendighed": _fuldstaendighed,
    "forventet": _forventet,
    "afstemning": _afstemning,
    "kontrol": _kontrol,
    "landet": _landet,
    "borger": _borger,
    "ugens-vaerdi": _ugens_vaerdi,
    "prognose": _prognose,
    "prognosefejl": _prognosefejl,
    "linjer": _linjer,
}
_NEEDED: Final[Mapping[str, frozenset[str]]] = {
    "beloeb": frozenset({"benefit", "rate", "amount_ore"}),
    "udgifter": frozenset({"benefit", "account", "amount_ore"}),
    "personer": frozenset({"persons"}),
    "afregning": frozenset({"run", "finansieringsbeloeb_ore"}),
    "korrektioner": frozenset({"reason", "weeks"}),
    "anciennitet": frozenset({"persons"}),
    "genoptjening": frozenset({"persons"}),
    "fuldstaendighed": frozenset({"hold"}),
}
"""Columns without which a finding says nothing: those of the view as it is by itself."""
