"""Writes the words and the numbers of pictures in Danish or in English.

A picture's sentences stand in Danish where it is drawn; here is each of them in English. Names of
benefits, and the law's own words, stay Danish.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from projections.lis.amounts import whole_kroner
from projections.lis.answers import ColumnKind, shown_value
from projections.lis.pictures import Language, grouped

ENGLISH: Final[Mapping[str, str]] = {
    "{number} borger": "{number} citizen",
    "{number} borgere": "{number} citizens",
    "{number} person": "{number} person",
    "{number} personer": "{number} persons",
    "{people} efter anciennitet i uger": "{people} by seniority in weeks",
    "{people} efter optjente uger med selvforsørgelse": "{people} by earned weeks of self-support",
    "{citizens} efter uger til et lavere refusionstrin": "{citizens} by weeks to a lower step",
    "{came} til {went}": "{came} to {went}",
    "{count} af {all} linjer har fået mindre end forventet, højst {most}":
        "{count} of {all} lines got less than expected, {most} at most",
    "Konto {name} har {share} af udgiftsgrundlaget": "Account {name} has {share} of the base",
    "Rækker uden konto har {share} af udgiftsgrundlaget":
        "Rows without an account have {share} of the base",
    "{place}; de seneste {most} af {all} kørsler": "{place}; the last {most} of {all} runs",
    "{place}; de {most} største af {all}": "{place}; the {most} largest of {all}",
    "{place}; fejl i netto i procent": "{place}; errors of the net in percent",
    "{place}; kr. pr. måned": "{place}; kr. a month",
    "{size} kr.": "{size} kr.",
    "{what} efter ydelse og procent": "{what} by benefit and percentage",
    "{where}trin {step} ({rate} %)": "{where}step {step} ({rate} %)",
    "{whose} netto er uændret{span}": "The net of {whose} is unchanged{span}",
    "{whose} netto falder {percent} %{span}": "The net of {whose} falls by {percent} %{span}",
    "{whose} netto stiger {percent} %{span}": "The net of {whose} rises by {percent} %{span}",
    " fra {first} til {last}": " from {first} to {last}",
    "1-3 måneder": "1-3 months",
    "4-12 måneder": "4-12 months",
    "Alt det forventede er modtaget": "All that was expected was received",
    "Berigtigelser efter den rettede måneds alder": "Corrections by the age of the corrected month",
    "De hyppigste skift mellem ydelser": "The most usual changes between benefits",
    "En borgers måneder i kroner": "A citizen's months in kroner",
    "Gennemsnitlig refusionsprocent {month}": "Mean refusion percentage of {month}",
    "Hele forskellen er forklaret": "All of the difference is explained",
    "Hvem betaler en gennemsnitlig uge på hvert trin": "Who pays for a mean week on each step",
    "Kommunens": "the municipality",
    "Kommunernes": "the municipalities",
    "Personer": "Persons",
    "Personer på hvert refusionstrin": "Persons on each step of refusion",
    "Prognosen er bedre end begge gæt i {better} af {all} tilfælde":
        "The forecast is better than both guesses in {better} of {all} cases",
    "Prognosen kan ikke holdes mod samme måned året før endnu":
        "The forecast cannot be held against the same month a year before yet",
    "Refusion og medfinansiering, og det beløb, der afregnes":
        "Refusion and medfinansiering, and the amount that is settled",
    "Udgiftsgrundlag": "Base",
    "afregnet i kørsel {run}": "settled in run {run}",
    "Mellem kommuner: {pair} er størst med {size}":
        "Between municipalities: {pair} is the largest with {size}",
    "forklaret": "explained",
    "højst": "at most",
    "ingen": "none",
    "kommunen": "the municipality",
    "kørsel {run} {month}": "run {run} {month}",
    "mangler": "lacking",
    "medfinansiering": "medfinansiering",
    "medfinansiering {rate} %": "medfinansiering {rate} %",
    "mindst": "at least",
    "modtaget": "received",
    "ned": "down",
    "netto": "net",
    "netto {size}": "net {size}",
    "op": "up",
    "over et år": "over a year",
    "personer": "persons",
    "prognosen": "the forecast",
    "refusion": "refusion",
    "refusion {rate} %": "refusion {rate} %",
    "samme måned": "the same month",
    "sidste trin": "the last step",
    "som i fjor": "as last year",
    "som kendt, da kørsel {run} blev lukket": "as known when run {run} was closed",
    "som kendt nu; ingen kørsel er lukket": "as known now; no run is closed",
    "som kendt nu; sidste lukkede kørsel er {run}": "as known now; the last closed run is {run}",
    "som sidste måned": "as last month",
    "staten": "the State",
    "trin {step}": "step {step}",
    "udgiftsgrundlag": "base",
    "uden konto": "without an account",
    "uforklaret": "unexplained",
    "åben {month}": "open {month}",
    "{size} er ikke forklaret ({count} af {all} rækker)":
        "{size} are not explained ({count} of {all} rows)",
}  # fmt: skip
"""Each sentence of a picture, and the same in English."""
_SWAPPED: Final = str.maketrans(".,", ",.")


@dataclass(frozen=True)
class PictureTeller:
    """Somebody who says what a picture says, in one language."""

    language: Language = "da"

    def say(self, sentence: str, **values: object) -> str:
        """Say a sentence, which is given in Danish, with values put in by name."""
        told = sentence if self.language == "da" else ENGLISH[sentence]
        return told.format(**values)

    def number(self, written: str) -> str:
        """Write a number, which is given as Danes write it."""
        return written if self.language == "da" else written.translate(_SWAPPED)

    def count(self, number: float) -> str:
        """Write a whole number."""
        return self.number(grouped(round(number)))

    def kroner(self, kroner: float) -> str:
        """Write an amount of whole kroner with its unit."""
        return self.say("{size} kr.", size=self.count(kroner))

    def percent(self, percent: float) -> str:
        """Write a percentage."""
        return self.size("percent", round(100 * percent))

    def size(self, kind: ColumnKind, size: int) -> str:
        """Write a size with its unit: money in whole kroner, as the finding of a page has it."""
        if kind == "ore":
            return self.kroner(whole_kroner(size))
        shown = self.number(shown_value(kind, size))
        return f"{shown} %" if kind == "percent" else shown

    def citizens(self, number: int) -> str:
        """Say how many citizens."""
        sentence = "{number} borger" if number == 1 else "{number} borgere"
        return self.say(sentence, number=self.count(number))
