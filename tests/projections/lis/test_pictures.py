"""A picture is SVG with a title and all its figures in words, and reads without colours."""

import re
import xml.etree.ElementTree as ET
from decimal import ROUND_HALF_UP, Decimal
from itertools import pairwise
from pathlib import Path
from string import Formatter
from typing import Any

import pytest

from projections.lis import drawings
from projections.lis.answers import Answer
from projections.lis.definitions import DEFINITIONS
from projections.lis.drawings import drawing_of
from projections.lis.picture_words import ENGLISH
from projections.lis.pictures import WIDTH, Curve, Piece, Stack, grouped, lines, stacks
from projections.lis.questions import ViewError
from projections.lis.views import VIEWS
from tests.support.lives import RULES

SVG = "{http://www.w3.org/2000/svg}"
ROWS: dict[str, list[tuple[Any, ...]]] = {
    "beloeb": [
        ("730", "2024-01", "KTH", "refusion", 80, 1_000_00, 800_00, 0, 200_00, 6667),
        ("730", "2024-01", "KTH", "refusion", 20, 300_00, 60_00, 0, 240_00, 2000),
        ("730", "2024-01", "ADP", "medfinansiering", 80, 200_00, 0, 160_00, 160_00, 1333),
        ("730", "2024-01", None, None, None, 1_500_00, 860_00, 160_00, 600_00, 10000),
    ],
    "afregning": [
        ("730", 49, "2024-01", 900_00, 100_00, 300_00, 600_00, 0, None, 600_00, 0),
        ("730", None, "2024-02", 100_00, 0, 300_00, -200_00, -200_00, -800_00, 400_00, 0),
    ],
    "korrektioner": [
        ("730", 50, "2023-01", 13, "late_report", "KTH", 2, 5, 100_00, -300_00, -200_00),
        ("730", 50, "2024-01", 1, "reversal", "KTH", 1, 1, 0, -10_00, -10_00),
    ],
    "paa-vej-ned": [
        ("730", "a" * 32, "2024-01-29", 3, 80, 2, 40, 4_000_00, 1_600_00, "KTH", "2024-02-12"),
        ("730", "b" * 32, "2024-01-29", 99, 20, None, None, None, None, "KTH", None),
    ],
    "overgange": [
        ("730", "2024-01", "KTH", "ADP", 4, 30, 0), ("730", "2024-01", None, "KTH", 9, None, 0),
        ("730", "2024-01", "KTH", "KTH", 99, 30, 0),
    ],
    "landet": [("751", "2024-01", 900_00, 700_00, 100_00, 600_00, 0)],
    "borger": [
        ("2024-01", "730", "KTH", 80, 5, 900_00, 720_00, 0),
        ("2024-02", "730", "ADP", 80, 4, 800_00, 0, 640_00),
    ],
    "ugens-vaerdi": [("730", 1, 80, 12, 4_000_00, 800_00, 2_400_00, 9_600_00)],
    "anciennitet": [
        ("730", 0, 0, 3, 25), ("730", 1, 4, 20, 164), ("730", 157, None, 1_200, 9812),
    ],
    "genoptjening": [("730", 0, 0, 3), ("730", 1, 12, 20), ("751", 0, 0, 4)],
    "udvikling": [
        ("730", f"2024-{month:02d}", 100, 10, 20, 30, 40, 100, 50, 5000) for month in range(1, 13)
    ],
    "udgifter": [
        ("730", "2024-01", "KTH", "5.57.73.2.011", 950_00, 50_00, 900_00, 3),
        ("730", "2024-01", "SDP", None, 100_00, 0, 100_00, 1),
        ("730", "2024-01", None, None, 1_050_00, 50_00, 1_000_00, 4),
    ],
    "mellemkommunalt": [
        ("2024-01", "730", "751", "KTH", 1_500_00, 300_00, 0),
        ("2024-02", "730", "751", "KTH", 500_00, 100_00, 0),
        ("2024-01", "751", "730", "ADP", 900_00, 0, 600_00),
    ],
    "fuldstaendighed": [
        (50, "12345678", "KTH", "2024-01", 3, 600_00, 1_500_00, -900_00, "ja", None),
        (50, "12345678", "ADP", "2024-01", 3, 700_00, 600_00, 100_00, None, None),
    ],
    "forventet": [
        (50, "12345678", "KTH", "2024-01", 9, 2_000_00, 600_00, -1_400_00, 2, 1),
        (50, "12345678", "ADP", "2024-01", 9, 500_00, 500_00, 0, 0, 0),
    ],
    "afstemning": [
        ("5.57.73.2.011", "2024-01", 900_00, 700_00, 200_00, 0, 200_00, 0),
        (None, "2024-01", 100_00, 0, 100_00, 0, 0, 100_00),
    ],
    "sammenligning": [("730", "2024-01", 90, 3000, 3344), ("751", "2024-01", None, None, None)],
}  # fmt: skip


def drawn(view, rows=None):
    shown = VIEWS[view]
    answer = Answer(
        view, shown.title, "known", 50, "R-1", shown.figures, rows or ROWS[view], shown.total
    )
    return drawing_of(answer, RULES, "730 Randers & <omegn>")


@pytest.mark.parametrize("view", sorted(ROWS))
def test_a_picture_has_a_title_and_its_figures_in_words(view):
    root = ET.fromstring(drawn(view))  # noqa: S314 - our own
    assert root.get("role") == "img"
    assert root.findtext(f"{SVG}title") == root.get("aria-label") != ""
    words = root.findtext(f"{SVG}desc", "")
    assert "730 Randers & <omegn>" in words
    assert any(sign.isdigit() for sign in words.partition(". ")[2])
    assert root.findall(f".//{SVG}text")


def kroner(ore):
    """Round an amount half away from zero, as sentences do."""
    whole = (Decimal(ore) / 100).quantize(Decimal(1), ROUND_HALF_UP)
    return f"{grouped(int(whole))} kr."


def with_ore(view):
    """Give the rows of a view with an odd number of øre in each amount."""
    figures = VIEWS[view].figures
    return [
        {
            figure.name: value + 50 * (-1) ** at if value and figure.kind == "ore" else value
            for figure, value in zip(figures, row, strict=True)
        }
        for at, row in enumerate(ROWS[view])
    ]


def said_of(view, rows):
    """Say each stack or line of a picture of money as a person would, from the rows."""
    names = {code: benefit.name for code, benefit in RULES.benefits.items()}
    if view == "beloeb":
        kth, low, adp, _ = rows
        whole = kth["amount_ore"] + low["amount_ore"]
        return [
            (
                f"KTH {names['KTH']}: {kroner(whole)}, refusion 80 % {kroner(kth['amount_ore'])},"
                f" refusion 20 % {kroner(low['amount_ore'])}"
            ),
            (
                f"ADP {names['ADP']}: {kroner(adp['amount_ore'])},"
                f" medfinansiering 80 % {kroner(adp['amount_ore'])}"
            ),
        ]
    if view in ("afregning", "landet"):
        return [
            f"{name}: {kroner(row['refusion_ore'] - row['medfinansiering_ore'])},"
            f" refusion {kroner(row['refusion_ore'])},"
            f" medfinansiering {kroner(row['medfinansiering_ore'])}"
            for name, row in zip(
                ("kørsel 49 2024-01", "åben 2024-02") if view == "afregning" else ("751 Aarhus",),
                rows,
                strict=True,
            )
        ]
    if view == "korrektioner":
        ages = {"1-3 måneder": rows[1], "over et år": rows[0]}
        return [
            f"{name}: netto {kroner(row['up_ore'] + row['down_ore'])}, op {kroner(row['up_ore'])},"
            f" ned {kroner(-row['down_ore'])}"
            for name, row in ages.items()
        ]
    if view == "ugens-vaerdi":
        (row,) = rows
        week, own = row["week_ore"], row["own_cost_ore"]
        return [
            (
                f"trin 1 (80 %): {kroner(week)}, 12 borgere, kommunen {kroner(own)},"
                f" staten {kroner(week - own)}"
            )
        ]
    first, last = rows
    return [
        f"{name}: 2024-01 {kroner(first[key])}, 2024-02 {kroner(last[key])}"
        for name, key in (
            ("udgiftsgrundlag", "amount_ore"),
            ("refusion", "refusion_ore"),
            ("medfinansiering", "medfinansiering_ore"),
        )
    ]


@pytest.mark.parametrize(
    "view", ["beloeb", "afregning", "landet", "korrektioner", "ugens-vaerdi", "borger"]
)
def test_the_words_of_a_picture_of_money_have_the_kroner_of_its_rows(view):
    rows = with_ore(view)
    root = ET.fromstring(drawn(view, [tuple(row.values()) for row in rows]))  # noqa: S314 - our own
    words = root.findtext(f"{SVG}desc", "").partition(". ")[2].removesuffix(".").split("; ")
    assert {*said_of(view, rows)} <= {*words}
    if view != "korrektioner":  # which names the ages without any too
        assert len(words) == len(said_of(view, rows))


def test_the_words_of_a_picture_have_percentages_as_percentages():
    words = drawn("sammenligning").partition("<desc>")[2].partition("</desc>")[0]
    assert words.endswith("730 Randers: 33,44 %, refusion 33,44 %.")


def test_large_amounts_of_months_are_written_out_in_the_words_of_lines():
    curve = Curve("netto", [12_345_678])
    picture = lines("t", "s", ["2024-01"], [curve], lambda value: grouped(round(value)))
    assert "netto: 2024-01 12.345.678" in picture


def test_stacks_tell_the_mechanisms_apart_without_colour():
    picture = drawn("beloeb")
    assert 'fill="url(#hatch)"' in picture
    assert "medfinansiering 80 %" in picture
    assert "KTH Kontanthjælp: 1.300 kr." in picture


def test_a_hidden_municipality_is_not_drawn():
    assert "751" not in drawn("sammenligning")


def test_where_all_are_hidden_there_is_no_empty_picture():
    with pytest.raises(ViewError, match="every figure of 2024-01 is hidden"):
        drawn("sammenligning", [("751", "2024-01", None, None, None)])


def test_where_nobody_changes_benefit_there_is_no_empty_picture():
    stayed = [("730", "2024-01", "KTH", "KTH", 6_348, 544, -526_966_248)]
    with pytest.raises(ViewError, match="nobody goes from one benefit to another"):
        drawn("overgange", stayed)


def test_a_view_without_a_picture_says_why_and_which_have_one():
    shown = VIEWS["kontrol"]
    answer = Answer("kontrol", "", "known", None, "", shown.figures, [])
    with pytest.raises(ViewError, match=r"billede af nuller.*; there is one of afregning, afstem"):
        drawing_of(answer, RULES, "")


@pytest.mark.parametrize("view", sorted(VIEWS))
def test_each_view_has_a_picture_or_a_reason_why_not(view):
    assert (view in drawings._DRAWN) != bool(DEFINITIONS[view].no_picture)
    if view in drawings._DRAWN:
        names = {figure.name for figure in VIEWS[view].figures}
        assert {*drawings._DRAWN[view].columns} <= names


@pytest.mark.parametrize(
    ("view", "said"),
    [
        ("udgifter", ["Konto 5.57.73.2.011 har 90,00 % af udgiftsgrundlaget",
                      "uden konto: 100 kr."]),
        ("mellemkommunalt", ["Mellem kommuner: Randers til Aarhus er størst med 2.000 kr.",
                             "Aarhus til Randers: 900 kr."]),
        ("fuldstaendighed", ["1 af 2 linjer har fået mindre end forventet, højst 900 kr.",
                             "12345678 KTH 2024-01: -900 kr., modtaget 600 kr., mangler 900 kr."]),
        ("forventet", ["1 af 2 linjer har fået mindre end forventet, højst 1.400 kr."]),
        ("afstemning", ["100 kr. er ikke forklaret (1 af 2 rækker)", "uden konto 2024-01: 100 kr.",
                        "forklaret 200 kr., uforklaret 0 kr."]),
    ],
)  # fmt: skip
def test_the_title_of_a_comparison_is_its_finding(view, said):
    picture = drawn(view)
    assert f"<title>{said[0]}</title>" in picture
    assert all(words in picture for words in said)


def test_comparisons_without_a_difference_say_so():
    (row, _) = ROWS["forventet"]
    same = [(*row[:6], row[5], 0, 0, 0)]
    assert "<title>Alt det forventede er modtaget</title>" in drawn("forventet", same)
    explained = ROWS["afstemning"][:1]
    assert "<title>Hele forskellen er forklaret</title>" in drawn("afstemning", explained)
    with pytest.raises(ViewError, match="nothing above 0"):
        drawn("afstemning", [("5.57", "2024-01", 900_00, 900_00, 0, 0, 0, 0)])


def test_the_largest_stacks_are_drawn_and_it_is_said_of_how_many():
    rows = [("730", "2024-01", "KTH", f"5.{at}", 0, 0, (100 - at) * 100, 1) for at in range(40)]
    picture = drawn("udgifter", rows)
    nowhere = [("730", "2024-01", "KTH", None, 0, 0, 100, 1)]
    assert "<title>Rækker uden konto har 100,00 %" in drawn("udgifter", nowhere)
    assert "de 15 største af 40" in picture
    assert "5.14:" in picture
    assert "5.15:" not in picture


def test_each_sentence_in_english_has_the_values_of_the_danish_and_is_said_somewhere():
    folder = Path(drawings.__file__).parent
    code = "".join(
        (folder / f"{name}.py").read_text()
        for name in ("drawings", "control_drawings", "forecast_drawings", "answers")
    ) + (folder / "picture_words.py").read_text().partition("class PictureTeller")[2]  # fmt: skip
    for danish, english in ENGLISH.items():
        names = [sorted(part[1] for part in Formatter().parse(text) if part[1])
                 for text in (danish, english)]  # fmt: skip
        assert names[0] == names[1], danish
        said = danish in code or danish.replace("{", "{{").replace("}", "}}") in code
        assert said or "netto" in danish, danish


FORECASTS = {
    "prognose": {"municipality": "730", "month": "2025-01", "net_ore": 1_234_567_00,
                 "net_low_ore": 1_000_000_00, "net_high_ore": 2_000_000_00},
    "prognosefejl": {"municipality": "730", "months_ahead": 1, "net_error_percent": 123,
                     "net_last_month_percent": 456, "better": "ja"},
}  # fmt: skip
DANISH = re.compile(
    r"kommun|uger|trin\b|borger|efter|kendt|kørsel|måned|prognose|\bog\b|\baf\b|mangler"
)


@pytest.mark.parametrize("view", sorted({*ROWS, *FORECASTS}))
def test_a_picture_is_in_english_where_that_is_wanted(view):
    shown = VIEWS[view]
    rows = ROWS.get(view) or [tuple(FORECASTS[view].get(each.name) for each in shown.figures)]
    answer = Answer(view, shown.title, "known", 50, "R-1", shown.figures, rows, shown.total)
    danish, english = (drawing_of(answer, RULES, "730", lang) for lang in ("da", "en"))
    assert 'lang="en"' in english
    names = "|".join(re.escape(benefit.name) for benefit in RULES.benefits.values())
    texts = [*ET.fromstring(english).itertext()]  # noqa: S314 - our own
    of_ours = [re.sub(names, "", text) for text in texts]
    assert [text for text in of_ours if DANISH.search(text)] == []
    said, told = (
        [
            number
            for number in re.findall(r"\d+(?:[.,]\d+)+", in_words(picture))
            if number.count(".") < 3  # else it is an account
        ]
        for picture in (danish, english)
    )
    assert [number.translate(str.maketrans(".,", ",.")) for number in said] == told


def in_words(picture):
    return picture.partition("<desc>")[2].partition("</desc>")[0]


@pytest.mark.parametrize("view", sorted(ROWS))
def test_sums_by_fewer_columns_are_not_drawn_as_if_all_were_there(view):
    (first, *_) = VIEWS[view].figures
    with pytest.raises(ViewError, match="have no picture"):
        drawing_of(Answer(view, "", "known", None, "", (first,), [("730",)]), RULES, "")


def test_what_falls_below_zero_is_said_with_its_sign():
    assert "åben 2024-02: -200 kr." in drawn("afregning")
    assert "over et år: netto -200 kr." in drawn("korrektioner")


def test_a_citizen_who_stays_is_no_change():
    words = drawn("overgange")
    assert "KTH til ADP: 4" in words
    assert "99" not in words.partition("<desc>")[2].partition("</desc>")[0]


def places(picture):
    """Give the texts of a picture with their places."""
    texts = ET.fromstring(picture).iter(f"{SVG}text")  # noqa: S314 - our own
    return {
        text.text: (float(text.get("x", "")), float(text.get("y", "")))
        for text in texts
        if text.text
    }


def test_names_of_lines_that_end_together_stand_in_their_order_and_above_the_axis():
    curves = [Curve("lowest", [9, 1]), Curve("highest", [0, 99]), Curve("middle", [9, 1.5]),
              Curve("unknown", [None, None])]  # fmt: skip
    found = places(lines("t", "s", ["2024-01", "2024-02"], curves, str))
    ys = [found[name][1] for name in ("highest", "middle", "lowest")]
    assert all(above + 15 <= below for above, below in pairwise(ys))
    assert found["lowest"][1] < found["2024-02"][1] - 10
    assert "unknown" not in found


def test_no_line_goes_through_the_name_of_one_that_ends_before_it():
    curves = [Curve("long", [5, 5, 5]), Curve("short", [9, 6, None])]
    found = places(lines("t", "s", ["2024-01", "2024-02", "2024-03"], curves, str))
    assert found["short"][0] == found["long"][0] > found["2024-03"][0]


def test_a_municipality_sees_its_own_forecast_and_all_of_them_the_countrys():
    shown = VIEWS["prognose"]
    names = [figure.name for figure in shown.figures]

    def row(place, net):
        told = {"municipality": place, "month": "2025-01", "net_ore": net}
        return tuple(told.get(name) for name in names)

    country = [row(None, 900_00)]
    for rows, whose, ours in (
        ([row("730", 100_00)], "Kommunens netto", "2025-01 100 kr."),
        ([row("730", 100_00), row("751", 700_00)], "Kommunernes netto", "2025-01 900 kr."),
    ):
        answer = Answer(
            "prognose", "", "known", 50, "R-1", shown.figures, rows, None, country
        )  # fmt: skip
        picture = drawing_of(answer, RULES, "730")
        assert whose in picture
        assert ours in picture


def test_what_is_written_at_the_end_of_the_longest_stack_has_room():
    label = "netto -11.591.399 kr., 1.283 borgere"
    found = places(stacks("t", "s", [Stack("a", [Piece("p", "#fff", False, 9, "9")], label)]))
    assert found[label][0] + 7 * len(label) <= WIDTH


def test_a_key_has_its_percentages_in_order():
    pieces = [Piece(f"refusion {rate} %", "#fff", False, 1, "1") for rate in (100, 20, 80)]
    found = places(stacks("t", "s", [Stack("a", pieces, "")]))
    assert [name for name in found if name.startswith("refusion")] == [
        "refusion 20 %", "refusion 80 %", "refusion 100 %",
    ]  # fmt: skip


def test_many_runs_are_drawn_as_far_as_they_can_be_read():
    row = ROWS["afregning"][0]
    shown = VIEWS["afregning"]
    rows = [(row[0], run, "2024-01", *row[3:]) for run in range(1, 121)]
    answer = Answer("afregning", "", "known", 120, "R-1", shown.figures, rows, shown.total)
    picture = drawing_of(answer, RULES, "730")
    assert "de seneste 25 af 120 kørsler" in picture
    assert "kørsel 120 " in picture
    assert "kørsel 95 " not in picture
