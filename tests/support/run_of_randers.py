"""Two runs of a small municipality, Randers, with the files that were made by hand."""

import csv

from projections.runs.files import Names
from streams.citizens.rule_sets import load_rule_set
from tests.support.postings import IDENTITY, marker, posting

ANNA, BO, CARL, DORTE = "6101801234", "6202801235", "6303801236", "6404801237"
RULES = load_rule_set()
NAMES = Names(
    {code: benefit.name for code, benefit in RULES.benefits.items()}, RULES.municipalities
)

HIGH = {"amount_ore": 270968, "refusion_ore": 216774, "account": "5.57.73.2.002"}
LOW = {
    "kind": "correction",
    "amount_ore": 270968,
    "rate": 40,
    "refusion_ore": 108387,
    "account": "5.57.73.2.011",
}

TAKEN_BACK = {
    "kind": "correction",
    "amount_ore": -270968,
    "refusion_ore": -216774,
    "account": "5.57.73.2.002",
}

DAGPENGE = {
    "week": "2024-01-08", "benefit": "ADP", "paying": None,
    "mechanism": "medfinansiering", "rate": 70,
    "amount_ore": 99050, "atp_ore": 950, "medfinansiering_ore": 69335,
}  # fmt: skip

AWAY = {
    "paying": "730",
    "financing": "751",
    "amount_ore": 100000,
    "refusion_ore": 80000,
    "week": "2024-01-15",
}

OPENING = {"kind": "opening", "amount_ore": 5, "refusion_ore": 4}
RANDERS = [
    [
        posting(ANNA, 1, HIGH, AWAY, cause="12345678/b"),
        posting(ANNA, 2, OPENING, cause="opening"),
        marker(49),
        # Anna's first week moves to 40 %; another row of hers comes and goes in the same run.
        posting(
            ANNA, 3, TAKEN_BACK | {"reverses": "a"}, LOW, cause="12345678/c", reason="late_report"
        ),
        posting(ANNA, 4, HIGH | {"week": "2024-01-22"}, cause="12345678/d"),
        posting(
            ANNA,
            5,
            TAKEN_BACK | {"week": "2024-01-22", "reverses": "b"},
            cause="12345678/e",
            reason="reversal",
        ),
        marker(50, "2024-02", "2024-03-10T00:30:00+01:00"),
        posting(ANNA, 6, HIGH | {"week": "2024-01-29"}, cause="12345678/f"),
    ],
    [
        marker(49),
        posting(
            BO, 1, DAGPENGE, HIGH | {"amount_ore": 1, "refusion_ore": 1}, cause='12345678/x;"y"'
        ),
        posting(
            BO,
            2,
            HIGH | {"amount_ore": -101, "refusion_ore": -81},
            cause="12345678/z",
            reason="adjustment",
        ),
        posting(CARL, 1, HIGH | {"paying": "751", "financing": "730"}, cause="12345678/w"),
        posting(DORTE, 1, cause="12345678/q"),
        marker(50, "2024-02", "2024-03-10T00:30:00+01:00"),
    ],
]
"""Two partitions, two runs and what came after them. Carl's refusion goes to 751, who paid."""

A, B = (IDENTITY.of(cpr)[0][:4] for cpr in (ANNA, BO))
NOTICES = {
    IDENTITY.of(BO)[0]: [
        {
            "code": "after_death",
            "cause": "12345678/z",
            "detail": {"date": "2023-12-31", "benefit": "KTH"},
        }
    ],
    IDENTITY.of(CARL)[0]: [{"code": "future_period", "cause": "12345678/w", "detail": {}}],
}

GOLDEN = {
    "beregning": f"""\
Uge;CPR nummer;Ydelse;Finansiering Kommunenavn;Indberetning udbetalingsbeløb;\
Beregnet udbetalingsbeløb;Refusionssats;Refusionsbeløb;Medfinansieringssats;Medfinansieringsbeløb;\
Resultat-id;Korrektion af;Årsag
2024-01-01;6101801234;Kontanthjælp;Randers;2709,68;2709,68;40;1083,87;0;0,00;{A}-3-1;;12345678/c
2024-01-01;6101801234;Kontanthjælp;Randers;-2709,68;-2709,68;80;-2167,74;0;0,00;{A}-3-0;a;12345678/c
2024-01-01;6202801235;Kontanthjælp;Randers;-1,00;-1,00;80;-0,80;0;0,00;{B}-1-1 {B}-2-0;;\
"12345678/x;""y"" 12345678/z"
2024-01-08;6202801235;Arbejdsløshedsdagpenge;Randers;1000,00;990,50;0;0,00;70;693,35;{B}-1-0;;"12345678/x;""y\"""
""",
    "sumposteringer": """\
Konto;Ydelse;Måned;Refusionssats;Medfinansieringssats;Indberetning udbetalingsbeløb;\
Beregnet udbetalingsbeløb;Refusionsbeløb;Medfinansieringsbeløb
;Arbejdsløshedsdagpenge;2024-01;0;70;1000,00;990,50;0,00;693,35
5.57.73.2.002;Kontanthjælp;2024-01;80;0;-2710,68;-2710,68;-2168,54;0,00
5.57.73.2.011;Kontanthjælp;2024-01;40;0;2709,68;2709,68;1083,87;0,00
""",
    "advisering": """\
CPR nummer;Advis;Betydning;Indberetning;Oplysninger;Handling
6202801235;after_death;Perioden ligger efter dødsdagen;12345678/z;\
"{""benefit"":""KTH"",""date"":""2023-12-31""}";\
Stands og tilbagefør det, der er udbetalt efter dødsdagen, eller få dødsdagen rettet
""",
}


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def values(text):
    header, *lines = csv.reader(text.splitlines(), delimiter=";")
    return [dict(zip(header, line, strict=True)) for line in lines]
