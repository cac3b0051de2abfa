"""Draws what the months to come cost, and how far earlier forecasts were off."""

from projections.lis.amounts import whole_kroner
from projections.lis.drawing_parts import Scene
from projections.lis.pictures import Curve


def of_months_to_come(of: Scene) -> str:
    """Draw what the months to come cost, with the interval: of a municipality or the country."""
    is_country = bool(of.answer.areas) and len({row["municipality"] for row in of.rows}) != 1
    rows = of.rows
    if is_country:
        rows = [dict(zip(of.answer.names, row, strict=True)) for row in of.answer.areas]
    months = sorted({row["month"] for row in rows})
    drawn = []
    for name, words in (("net_ore", "netto"), ("net_low_ore", "mindst"), ("net_high_ore", "højst")):
        sums: dict[str, int | None] = dict.fromkeys(months, 0)
        for row in rows:
            known, value = sums[row["month"]], row[name]
            sums[row["month"]] = None if known is None or value is None else known + value
        values = [None if ore is None else whole_kroner(ore) for ore in sums.values()]
        if any(value is not None for value in values):
            drawn.append(Curve(of.tell.say(words), values))
    first, last = (drawn[0].values[at] or 0.0 for at in (0, -1)) if months else (0.0, 0.0)
    change = round(100 * (last - first) / first) if first else 0
    finding = "{whose} netto er uændret{span}"
    if change:
        finding = f"{{whose}} netto {'stiger' if change > 0 else 'falder'} {{percent}} %{{span}}"
    whose = of.tell.say("Kommunernes" if is_country else "Kommunens")
    span = (
        of.tell.say(" fra {first} til {last}", first=months[0], last=months[-1]) if months else ""
    )
    return of.at("{place}; kr. pr. måned").lines(
        finding, months, drawn, of.tell.kroner, whose=whose, span=span, percent=abs(change)
    )


def errors_by_distance(of: Scene) -> str:
    """Draw the mean error of the forecast beside those of the two naive ones."""
    distances = sorted({row["months_ahead"] for row in of.rows})
    drawn = []
    for name, words in (
        ("net_error_percent", "prognosen"),
        ("net_last_month_percent", "som sidste måned"),
        ("net_same_month_percent", "som i fjor"),
    ):
        means = []
        for distance in distances:
            found = [row[name] for row in of.rows if row["months_ahead"] == distance]
            known = [value for value in found if value is not None]
            means.append(round(sum(known) / len(known)) / 100 if known else None)
        drawn.append(Curve(of.tell.say(words), means))
    compared = [row["better"] for row in of.rows if row["better"] is not None]
    finding = "Prognosen er bedre end begge gæt i {better} af {all} tilfælde"
    if not compared:
        finding = "Prognosen kan ikke holdes mod samme måned året før endnu"
    return of.at("{place}; fejl i netto i procent").lines(
        finding,
        [*map(str, distances)],
        drawn,
        of.tell.percent,
        better=compared.count("ja"),
        all=len(compared),
    )
