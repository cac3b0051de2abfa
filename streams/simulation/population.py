"""The population: kinds of spells, their benefits, and the tracks that lives follow.

The numbers in TRACKS are thousands of full-year persons in Denmark (expert knowledge):
førtidspension 250, fleksjob 90, dagpenge 85, sygedagpenge 75, kontanthjælp 60, and so on. Together
they represent the 1.4 million citizens who meet the system in a year.
"""

from typing import Literal, NamedTuple

from domain.basics.weeks import month_number
from streams.simulation.chance import Weighted
from streams.simulation.reporters import Office

Payer = Literal["municipality", "a-kasse", "udbetaling-danmark"]
FOREVER = 1 << 30


class Code(NamedTuple):
    """A benefit code and the last month in which a kind of spell is reported with it."""

    benefit: str
    until: int


class Kind(NamedTuple):
    """One kind of spell.

    `monthly_kr` is the usual full amount in kroner at the level of 2020. `codes` are the benefit's
    codes through the years, the oldest first; a kind without codes is self-support. `financed` is
    True if the report names a financing municipality.
    """

    name: str
    mean_days: int
    monthly_kr: int
    payer: Payer
    office: Office
    codes: tuple[Code, ...]
    financed: bool = True
    weekly: bool = False
    channel: str = "eindkomst"

    def benefit_in(self, month: int) -> str:
        """Return the code with which this kind is reported in a month."""
        for benefit, until in self.codes:
            if month <= until:
                return benefit
        raise ValueError(f"{self.name} has no benefit code after its last month")


class SideBenefit(NamedTuple):
    """A small payment that sometimes comes beside another benefit, in its valid months."""

    benefit: str
    beside: str
    percent: int
    monthly_kr: int
    payer: Payer
    first: int
    last: int


class Track(NamedTuple):
    """A way of life.

    `at_first` draws the spell in which a life begins, `next_spell` the one that follows. The next
    spell is drawn by full-year persons divided by mean length, so that the share of time in each
    kind is that of its full-year persons.
    """

    born: tuple[int, int]
    at_first: Weighted[Kind]
    next_spell: Weighted[Kind]


def _codes(text: str) -> tuple[Code, ...]:
    """Read codes such as `"KTH:2025-06 KTH25"`: each with its last month, the last one open."""
    pairs = (part.partition(":") for part in text.split())
    return tuple(
        Code(benefit, month_number(until) if until else FOREVER) for benefit, _, until in pairs
    )


def _municipal(
    name: str,
    mean_days: int,
    monthly_kr: int,
    codes: str,
    *,
    office: Office = Office.SUPPORT,
    weekly: bool = False,
) -> Kind:
    return Kind(name, mean_days, monthly_kr, "municipality", office, _codes(codes), weekly=weekly)


def _dfdg(name: str, mean_days: int, monthly_kr: int, codes: str) -> Kind:
    return _municipal(name, mean_days, monthly_kr, codes)._replace(channel="dfdg")


def _fund(name: str, mean_days: int, monthly_kr: int, codes: str, *, financed: bool = True) -> Kind:
    return Kind(
        name, mean_days, monthly_kr, "a-kasse", Office.SUPPORT, _codes(codes), financed=financed
    )


def _udk(
    name: str, mean_days: int, monthly_kr: int, office: Office, codes: str, *, financed: bool
) -> Kind:
    return Kind(
        name, mean_days, monthly_kr, "udbetaling-danmark", office, _codes(codes), financed=financed
    )


_LAST_OF_OLD_HELP = "KTI:2015-08 SHO:2025-06 KTH25"

KINDS = {
    kind.name: kind
    for kind in (
        Kind("self_support", 400, 32_000, "municipality", Office.PAYROLL, ()),
        _municipal("kontanthjaelp", 420, 13_500, "KTH:2025-06 KTH25"),
        _municipal("uddannelseshjaelp", 300, 9_500, "UDH:2025-06 KTH25"),
        _municipal("selvforsoergelsesydelse", 500, 7_000, _LAST_OF_OLD_HELP),
        _municipal("overgangsydelse", 400, 6_600, "KTI:2015-08 SHO:2019-12 OVG:2025-06 KTH25"),
        _municipal("kontantydelse", 200, 13_000, "KTH:2014-12 KNY:2018-12 KTH:2025-06 KTH25"),
        _municipal("forrevalidering", 300, 12_000, "FRV"),
        _municipal("revalidering", 600, 19_000, "REV"),
        _municipal("sygedagpenge", 80, 19_100, "SDP-B", office=Office.SICKNESS, weekly=True),
        _municipal("sygedagpenge_arbejdsgiver", 90, 18_600, "SDP-A", office=Office.SICKNESS),
        _municipal("ressourceforloeb", 700, 12_500, "RFY"),
        _municipal("jobafklaring", 400, 13_000, "JAF-B", office=Office.SICKNESS),
        _municipal("jobafklaring_arbejdsgiver", 300, 13_000, "JAF-A", office=Office.SICKNESS),
        _municipal("ledighedsydelse", 250, 17_000, "LY"),
        _dfdg("fleksjob", 1100, 13_500, "FLT"),
        _dfdg("fleks_selvstaendig", 1100, 11_000, "FLS"),
        _dfdg("loentilskud", 150, 9_000, "LTS"),
        _dfdg("skaanejob", 900, 5_000, "SKJ"),
        _dfdg("gammelt_fleksjob", 2500, 11_000, "FJG"),
        _municipal("gammel_ledighedsydelse", 300, 16_000, "LYG"),
        _municipal("flygtningehjaelp", 500, 12_000, "UFB"),
        _fund("dagpenge", 150, 18_900, "ADP"),
        _fund("arbejdsmarkedsydelse", 150, 14_000, "AMY:2017-12 ADP"),
        _municipal("uddannelsesydelse", 120, 13_000, "SUY:2016-12 KTH:2025-06 KTH25"),
        _fund("efterloen", 1200, 17_500, "EFL", financed=False),
        _fund("feriedagpenge", 14, 17_000, "FDP", financed=False),
        _udk("foertidspension", 9000, 19_600, Office.PENSION, "FPN", financed=True),
        _udk("gammel_foertidspension", 9000, 19_000, Office.PENSION, "FPG", financed=True),
        _udk("seniorpension", 3000, 19_500, Office.PENSION, "FPN:2019-12 SNP", financed=True),
        _udk("folkepension", 4000, 13_800, Office.PENSION, "FOP", financed=False),
        _udk("tidlig_pension", 700, 13_500, Office.PENSION, "EFL:2021-12 TIP", financed=False),
        _udk("fleksydelse", 1000, 17_500, Office.PENSION, "FLY", financed=False),
        _udk("delpension", 900, 8_000, Office.PENSION, "DEL", financed=False),
        _udk("su", 900, 6_300, Office.STUDY, "SU", financed=False),
        _udk("barsel", 220, 18_500, Office.FAMILY, "BDP", financed=False),
    )
}


def _side(
    benefit: str, beside: str, percent: int, monthly_kr: int, months: str, payer: Payer
) -> SideBenefit:
    first, _, last = months.partition("..")
    return SideBenefit(
        benefit,
        beside,
        percent,
        monthly_kr,
        payer,
        month_number(first),
        month_number(last) if last else FOREVER,
    )


SIDES = (
    _side("ATP", "KTH", 4, 180, "2014-07..2025-06", "municipality"),
    _side("MBT", "KTH", 4, 650, "2020-01..2025-06", "udbetaling-danmark"),
    _side("SST", "KTH", 5, 1_500, "2014-07..2016-09", "municipality"),
    _side("ATP", "UDH", 4, 180, "2014-07..2025-06", "municipality"),
    _side("OPO", "SDP-B", 3, 130, "2020-01..", "municipality"),
    _side("OPO", "SDP-A", 8, 130, "2020-01..", "municipality"),
    _side("OPO", "RFY", 8, 110, "2020-01..", "municipality"),
    _side("OPO", "LY", 8, 150, "2020-01..", "municipality"),
    _side("BEF", "ADP", 5, 700, "2016-01..", "a-kasse"),
)


def _starts(kind: Kind, thousands: int) -> int:
    """Return how often spells of a kind begin; those of the old schemes only end."""
    return 0 if kind.name.startswith("gammel") else thousands * 1_000_000 // kind.mean_days


def _track(born: tuple[int, int], thousands: dict[str, int]) -> tuple[Track, int]:
    """Return a track and its weight: the thousands of citizens who live it."""
    kinds = [KINDS[name] for name in thousands]
    weights = list(thousands.values())
    starts = [_starts(kind, weight) for kind, weight in zip(kinds, weights, strict=True)]
    return Track(born, Weighted(kinds, weights), Weighted(kinds, starts)), sum(weights)


_TRACKS = (
    # students
    _track(
        (1990, 2004),
        {
            "su": 290, "self_support": 60, "uddannelseshjaelp": 20, "barsel": 8, "dagpenge": 8,
            "sygedagpenge": 4,
        },
    ),
    # people with a job, between jobs, or ill
    _track(
        (1958, 1996),
        {
            "self_support": 195, "dagpenge": 72, "sygedagpenge": 22,
            "sygedagpenge_arbejdsgiver": 35, "barsel": 45, "jobafklaring": 9,
            "jobafklaring_arbejdsgiver": 5, "su": 10, "kontanthjaelp": 10, "loentilskud": 4,
            "feriedagpenge": 2, "arbejdsmarkedsydelse": 2, "kontantydelse": 2, "revalidering": 2,
        },
    ),
    # people far from work
    _track(
        (1960, 1999),
        {
            "kontanthjaelp": 45, "uddannelseshjaelp": 15, "self_support": 35, "ressourceforloeb": 8,
            "sygedagpenge": 5, "dagpenge": 4, "jobafklaring": 3, "barsel": 2, "forrevalidering": 3,
            "revalidering": 1, "loentilskud": 2, "uddannelsesydelse": 1, "flygtningehjaelp": 1,
        },
    ),
    # people in the flex scheme
    _track(
        (1957, 1992),
        {
            "fleksjob": 84, "fleks_selvstaendig": 6, "ledighedsydelse": 14, "sygedagpenge": 4,
            "sygedagpenge_arbejdsgiver": 5, "self_support": 6, "gammelt_fleksjob": 3,
            "gammel_ledighedsydelse": 1,
        },
    ),
    # disability pensioners
    _track(
        (1955, 1998),
        {
            "foertidspension": 225, "gammel_foertidspension": 25, "ressourceforloeb": 4,
            "self_support": 3, "jobafklaring": 1, "skaanejob": 2,
        },
    ),
    # people near the end of working life
    _track(
        (1951, 1960),
        {
            "seniorpension": 28, "efterloen": 10, "folkepension": 10, "tidlig_pension": 6,
            "fleksydelse": 3, "delpension": 1, "self_support": 6,
        },
    ),
    # newcomers
    _track(
        (1965, 2000),
        {
            "selvforsoergelsesydelse": 11, "overgangsydelse": 4, "kontanthjaelp": 5, "dagpenge": 1,
            "self_support": 6,
        },
    ),
)  # fmt: skip

TRACKS = Weighted([track for track, _ in _TRACKS], [weight for _, weight in _TRACKS])
