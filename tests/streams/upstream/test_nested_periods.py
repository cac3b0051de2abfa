"""A reported period amid another ends both, and the numbers of elements amid it end with them."""

import io

from streams.upstream.answers import NAMESPACES, AnswerReader, ReportedPeriod
from tests.streams.upstream.test_eindkomst import CPR, OTHER

HELD = "PersonCivilRegistrationIdentifier"
TOLD = "AngivelseVirksomhedEgenIdentifikator"
PERIOD = "LoenPeriodeOplysningStruktur"
ANSWER = "HovedOplysningerSvar"


def element(name, *inside):
    return f"<{name}>{''.join(inside)}</{name}>"


def report(name, *inside):
    return element(PERIOD, element(TOLD, name), *inside)


def read(*inside):
    found: list[ReportedPeriod] = []
    text = f'<Svar xmlns="{NAMESPACES}x">{"".join(inside)}</Svar>'
    reader = AnswerReader(found.append)
    reader.read(io.BytesIO(text.encode()))
    return [(each.report, each.cpr) for each in found], found, reader.counts


def test_what_follows_a_period_amid_another_is_outside_of_both():
    field = element("BlanketNummerIdentifikator", "16300")
    group = element("Gruppe", element(HELD, OTHER), report("B"), element("AngivelseNiveau1", field))
    told, _, counts = read(element(HELD, CPR), report("A", group, element(TOLD, "D")), report("C"))
    assert told == [("B", OTHER), ("C", CPR)]
    assert counts == {"periods": 2}


def test_a_number_of_an_element_amid_a_period_holds_until_that_ends():
    group = element("Gruppe", element(HELD, OTHER), element("Felt"))
    (outer,), _, _ = read(element(HELD, CPR), report("A", group))
    assert outer == ("A", CPR)
    (own,), _, _ = read(element(HELD, CPR), report("A", element(HELD, OTHER)))
    assert own == ("A", OTHER)


def test_the_time_of_an_answer_is_taken_after_a_period_amid_another():
    first, second = "2024-02-05T08:00:00Z", "2024-02-06T08:00:00Z"
    amid = element("Tid", first), report("B"), element("Tid", second)
    _, (b, c), counts = read(element(ANSWER, report("A", *amid), report("C")))
    assert (b.answered_at, c.answered_at) == ("", second)
    assert counts == {"messages": 1, "periods": 2}
