"""Says what exactly each view counts, in the readers' words, with § and open questions.

The switches are those of `domain/rules/rule-sets`: an open question of the law, and its answer.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple


class Definition(NamedTuple):
    """The meaning of a view: what it counts, by which §, and which open questions decide.

    `no_picture` says why a view is better read as a table.
    """

    counts: str
    law: str
    switches: tuple[str, ...] = ()
    figures: Mapping[str, str] = {}
    no_picture: str = ""


PLACE: Final = (
    "En række hører til den kommune, der har udbetalt den (refusion) eller finansierer den"
    " (medfinansiering)."
)
OWN_MONTH: Final = "Måneden er rækkens egen måned, også måneder før den første kørsel."
PERSON: Final = (
    "En person tæller, hvor personens rækker med de viste nøgler i alt giver et udgiftsgrundlag"
    " over 0; fleksbidraget (FB) gør ingen til person."
)
COUNTERS: Final = (
    "Tællerne er opgjort ved udgangen af den uge, som datamånedens sidste dag ligger i, eller i"
    " borgerens seneste uge med ydelser, hvis den er senere."
)
BASE: Final = "Udgiftsgrundlaget er det indberettede beløb uden ATP, fordelt på uger og måneder."
RATES: Final = "lov 994/2015 §§ 3 og 5"

DEFINITIONS: Final[Mapping[str, Definition]] = {
    "beloeb": Definition(
        f"Udgiftsgrundlag, refusion og medfinansiering efter ydelse og procent. {BASE} {PLACE}"
        f" {OWN_MONTH} En tom ydelse er alle ydelser, en tom procent alle procenter.",
        RATES,
        ("SPLIT", "ADP_WEEKS"),
        {
            "own_share_ore": "kommunens egen andel: udgiftsgrundlaget uden refusionen, eller"
            " medfinansieringen",
            "share_percent": "andel af månedens samlede udgiftsgrundlag",
        },
    ),
    "udgifter": Definition(
        f"Udgiftsgrundlag efter konto og ydelse. {BASE} {PLACE} {OWN_MONTH} En tom konto er rækker,"
        " hvis konto ikke er kendt; rækken uden ydelse er alle ydelser og konti.",
        "BEK 14/2026 § 7",
        ("SPLIT",),
        {"reported_ore": "det indberettede beløb: udgiftsgrundlaget med ATP lagt til"},
    ),
    "personer": Definition(
        f"Personer og personuger efter ydelse og procent. {PERSON} En personuge er en mandag med et"
        f" udgiftsgrundlag over 0, én for hver borger. {PLACE} {OWN_MONTH}",
        RATES,
        ("TOUCH", "WEEK_MONTH"),
        {
            "full_time_persons": "fuldtidspersoner: personuger delt med månedens uger",
            "mean_week_ore": "udgiftsgrundlaget delt med personugerne",
        },
    ),
    "afregning": Definition(
        "Hvad hver kørsel afregner med kommunen. Finansieringsbeløbet er refusionen minus"
        " medfinansieringen; fleksbidraget er med i refusionen. Rækker, som et tidligere system har"
        " afregnet (åbningsrækker), er ikke med. En tom kørsel er den åbne.",
        "lov 994/2015 §§ 3, 5 og 7",
        (),
        {
            "befordring_ore": "befordringsgodtgørelse: den er med i medfinansieringen med 50 %",
            "corrections_ore": "berigtigelser: den del af finansieringsbeløbet, der vedrører"
            " måneder før datamåneden",
            "change_ore": "finansieringsbeløbet i forhold til den forrige kørsel",
            "year_to_date_ore": "finansieringsbeløbet for årets datamåneder til og med denne",
            "budget_ore": "hvad kommunen har budgetteret for datamåneden",
            "deviation_ore": "finansieringsbeløbet minus budgettet",
        },
    ),
    "korrektioner": Definition(
        "Rækker, som blev tilbageført eller bogført på ny, efter den måned, de retter, med årsag og"
        " alder i måneder fra den rettede måned til kørslens datamåned.",
        "lov 994/2015 § 5",
        (),
        {
            "up_ore": "hvad kommunens finansieringsbeløb steg med",
            "down_ore": "hvad det faldt med",
            "age_months": "måneder fra den rettede måned til kørslens datamåned",
        },
    ),
    "anciennitet": Definition(
        f"Personer efter anciennitet (ydelsestælleren): uger med ydelser siden 1. juli 2014 eller"
        f" siden den seneste nulstilling. Med er borgere med en række i datamåneden. {PERSON}"
        f" {COUNTERS}",
        "lov 994/2015 §§ 5 og 6",
        ("TOUCH", "RESET_AT", "OTHER_LIST"),
        {"share_percent": "andel af de borgere, der er med"},
    ),
    "paa-vej-ned": Definition(
        "Borgere med en række i datamåneden, og hvor mange uger med ydelser der er til næste,"
        f" lavere refusionstrin. Den, der står på det sidste trin, har intet næste. {COUNTERS}",
        "lov 994/2015 § 5",
        ("TOUCH", "RESET_AT"),
        {
            "seniority": "anciennitet: uger med ydelser",
            "rate": "refusionsprocent på trinnet nu; en borger uden uger har det første trin",
            "weeks_to_next": "uger med ydelser til den første på et lavere trin",
            "next_week": "den første uge på næste trin, hvis borgeren får ydelser i hver uge",
            "week_cost_ore": "hvad en uge på næste trin koster kommunen mere end nu, efter"
            " ugen med borgerens største beløb på trappen",
        },
    ),
    "genoptjening": Definition(
        "Personer efter optjente uger med selvforsørgelse, som stadig ligger i vinduet på 3 år; 52"
        " giver en ny start på trappen. En borger hører til kommunen for sin seneste række."
        f" {COUNTERS}",
        "lov 994/2015 § 6, stk. 1 og 2",
        ("WINDOW", "RESET_AT", "OTHER_LIST", "ABROAD_PRISON"),
    ),
    "sammenligning": Definition(
        f"Kommuner ved siden af hinanden. {PERSON} De kommuner, der ligner mest (--alike), er dem,"
        " hvis viste procenter i alt ligger nærmest kommunens egne. Andre kommuners antal på 1-4"
        " personer er skjult, og med dem ethvert tal, som et skjult antal kunne regnes ud af.",
        RATES,
        (),
        {
            "share_at_last_step": "personer med en uge på trappens sidste trin (refusion 20 %,"
            " medfinansiering 80 %), i procent af alle personer",
            "mean_refusion_percent": "gennemsnitlig refusionsprocent: refusion i procent af"
            " udgiftsgrundlaget for ydelser med refusion",
            "median_seniority": "den midterste anciennitet blandt borgere med en række i"
            " datamåneden (af to den mindste); andre måneder har ingen",
            "change_percent": "antal personer i forhold til samme måned året før",
        },
    ),
    "udvikling": Definition(
        f"25 måneder: personer på hvert refusionstrin, udgiftsgrundlag og gennemsnitlig"
        f" refusionsprocent. {PERSON} En person kan stå på to trin i samme måned.",
        RATES,
        ("TOUCH", "WEEK_MONTH"),
        {
            "mean_refusion_percent": "refusion i procent af udgiftsgrundlaget for ydelser med"
            " refusion",
        },
    ),
    "fuldstaendighed": Definition(
        "Hvad hver indberetter har indberettet for måneden i forhold til det forventede, som det"
        " blev vist, da kørslen blev lukket.",
        "BEK 14/2026 § 7",
    ),
    "forventet": Definition(
        "Hvad udbetalingssystemerne siger at have udbetalt (Ydelsesindekset), i forhold til hvad"
        " der er modtaget og gælder, som det blev vist, da kørslen blev lukket. Intet er beregnet"
        " af det.",
        "BEK 14/2026 § 7",
        (),
        {
            "differing": "borgere, for hvem der er modtaget et andet beløb end forventet",
            "lacking": "borgere, for hvem der ikke er modtaget noget",
        },
    ),
    "mellemkommunalt": Definition(
        "Rækker, som en kommune har udbetalt for en anden kommune, der finansierer dem. Her er med,"
        " hvad kommunen har udbetalt, og hvad den finansierer.",
        "lov 994/2015 § 3",
    ),
    "overgange": Definition(
        "Borgere efter ydelsen i den ene måned og i den næste. En borgers ydelse er den med det"
        " største udgiftsgrundlag i måneden; tom er ingen ydelse hos kommunen.",
        "lov 994/2015 § 5",
        (),
        {
            "mean_weeks": "borgernes gennemsnitlige anciennitet; kendt for datamåneden",
            "year_saved_ore": "tolv gange det, kommunen betaler mindre for dem i måneden end i"
            " måneden før; negativt, hvor den betaler mere",
        },
    ),
    "fleksbidrag": Definition(
        "Borgere med fleksløntilskud på sidste refusionstrin i måneden, med fleksbidraget, hvor der"
        " er afregnet et. Uden fleksbidrag ventes der på lønnen, eller den er for høj.",
        "lov 994/2015 § 7",
        no_picture="en liste, hvori man slår en borger op; borgeres beløb ved siden af hinanden"
        " siger ikke noget",
    ),
    "kontrol": Definition(
        "Beløbene her og i regnskabet (ledger) side om side; hver forskel skal være 0,00. Med"
        " --reporters: hvad hver indberetter har sendt, over for det, der er afregnet, som kørslen"
        " så det, lige før den blev lukket; penge, som andre regler eller en genberegning flytter,"
        " er ingens indberetning og er ikke med.",
        "BEK 14/2026 § 7",
        (),
        {
            "reversed_ore": "hvad tilbageførsler tog tilbage",
            "rejected_ore": "hvad der blev afvist, da det skulle afregnes",
            "outside_ore": "hvad loven ikke giver en række for",
            "opened_ore": "hvad et tidligere system har afregnet (åbningsrækker)",
            "standing_ore": "modtaget og tilbageført uden afvist, uden for loven og afregnet før",
            "posted_ore": "hvad der var bogført, da kørslen så efter",
            "later_ore": "rækker i kørslen af indberetninger, som kom efter, at den så efter, og"
            " før den blev lukket; dem holder refusion verify mod journalen",
            "difference_ore": "hvad der mangler eller er for meget, mellem det modtagne og det"
            " bogførte og mellem det bogførte og ledgeren",
        },
        "hver forskel er 0 eller en fejl, der skal rettes, og et billede af nuller viser intet",
    ),
    "landet": Definition(
        "Alle kommuner: udgiftsgrundlag, refusion, medfinansiering og finansieringsbeløb efter"
        f" måned. {OWN_MONTH}",
        RATES,
    ),
    "afstemning": Definition(
        "Kommunens eget regnskab (konto, måned, beløb) over for sumposteringerne. Forskellen er"
        " forklaret af berigtigelser efter den kørsel, som måneden først blev afregnet i, og af"
        " rækker uden konto.",
        "BEK 14/2026 § 7",
    ),
    "borger": Definition(
        "En borgers måneder: ydelse, procent, uger, udgiftsgrundlag, refusion og medfinansiering.",
        RATES,
    ),
    "ugens-vaerdi": Definition(
        "Hvad en uge med ydelser koster kommunen netto på hvert refusionstrin, og hvad en uge med"
        " selvforsørgelse sparer.",
        "lov 994/2015 § 5",
    ),
    "prognose": Definition(
        "Hvad de tolv måneder efter datamåneden ventes at koste. Prognosen begynder med hver"
        " borgers egen anciennitet, så det vides, hvem der når et lavere trin hvornår; hvem der"
        " fortsætter, skifter, ophører, vender tilbage og kommer til, følger de seneste 36 kørslers"
        " overgange."
        " Den er lavet, da kørslen blev lukket, af hvad der var kendt da. En række uden kommune er"
        " hele landet. Fleksbidraget er ikke med, og heller ikke det, der senere rettes eller"
        " kommer til for måneder, som er afregnet: se korrektioner. Modellen er forklaret i"
        " docs/forecast.md.",
        "lov 994/2015 §§ 3, 5 og 6",
        (),
        {
            "persons": "ventet antal personer efter deres seneste ydelse i måneden",
            "persons_low": "otte af ti gange lå antallet mellem mindst og højst; tomt, til der er"
            " prøver nok",
            "restarts": "personer, der får 52 ugers selvforsørgelse og begynder trappen forfra",
            "net_ore": "hvad kommunen selv betaler: udgiftsgrundlag minus refusion, og"
            " medfinansieringen",
            "net_low_ore": "otte af ti gange lå nettoet mellem mindst og højst",
        },
    ),
    "prognosefejl": Definition(
        "De seneste 24 kørslers prognoser over for det, som kørslen for måneden selv viste, ved"
        " siden af to enkle gæt: som samme måned året før, og som den sidste måned. Tallene er"
        " kommunens gennemsnitlige fejl i procent.",
        "lov 994/2015 §§ 3, 5 og 6",
        (),
        {
            "persons_inside_percent": "hvor tit antallet lå inden for intervallet; det skal være"
            " omkring 80",
            "net_inside_percent": "hvor tit nettoet lå inden for intervallet; det skal være omkring"
            " 80",
            "better": "ja, hvor fejlen er mindre end begge enkle gæt, både i personer og i netto;"
            " ellers er et gæt lige så godt",
        },
    ),
}
