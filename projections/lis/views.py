"""The views of LIS by name: their columns, and the functions that make their rows."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from projections.lis import (
    books,
    comparison_views,
    control_views,
    course_views,
    expected_views,
    forecast_views,
    money_views,
    person_views,
)
from projections.lis.answers import AnswerRow, Figure
from projections.lis.definitions import DEFINITIONS, Definition
from projections.lis.money_views import MUNICIPALITY
from projections.lis.questions import LisQuestion, ViewError
from projections.lis.scopes import ViewScope

RowsOf = Callable[[ViewScope], list[AnswerRow]]


@dataclass(frozen=True)
class View:
    """A view: its title, its columns, and the function that makes its rows.

    `total` is the column that is null in total rows, for views that have them. `names_citizens`
    says that rows are about single citizens. `behind` lists the citizens behind the counts.
    `of_reporters` are the lines by reporter, where a view has them (`--reporters`).
    `figures_of` are the columns where they depend on what is given. Of a view that `has_areas`,
    rows without a municipality are about a region or the country. One that `sums_itself` has rows
    for what `--by` names.
    `not_by` are options that the view has no rows for; `at_data_month` says that it is about the
    data month of the last run alone.
    """

    name: str
    title: str
    figures: tuple[Figure, ...]
    rows: RowsOf
    total: str | None = None
    names_citizens: bool = False
    behind: tuple[tuple[Figure, ...], RowsOf] | None = None
    of_reporters: tuple[tuple[Figure, ...], RowsOf] | None = None
    adds: bool = False
    figures_of: Callable[[ViewScope], tuple[Figure, ...]] | None = None
    not_by: tuple[str, ...] = ()
    at_data_month: bool = False
    has_areas: bool = False
    sums_itself: bool = False

    @property
    def definition(self) -> Definition:
        """The definition: what exactly the view counts."""
        return DEFINITIONS[self.name]


_ALL: Final = (
    View("beloeb", "Beløb efter procent og ydelse", money_views.BELOEB, money_views.beloeb_rows,
         total="benefit", adds=True),
    View("udgifter", "Udgiftsgrundlag efter konto", money_views.UDGIFTER,
         money_views.udgifter_rows, total="benefit", adds=True),
    View("personer", "Personer efter procent og ydelse", person_views.PERSONER,
         person_views.personer_rows, total="benefit",
         behind=(person_views.BEHIND_PERSONER, person_views.behind_personer)),
    View("afregning", "Afregning", money_views.AFREGNING, money_views.afregning_rows, adds=True,
         figures_of=money_views.afregning_figures),
    View("korrektioner", "Korrektioner", money_views.KORREKTIONER, money_views.korrektioner_rows,
         adds=True, of_reporters=(money_views.CORRECTIONS_OF_REPORTERS,
                                  money_views.korrektioner_of_reporters)),
    View("anciennitet", "Anciennitet", person_views.ANCIENNITET, person_views.anciennitet_rows,
         behind=(person_views.BEHIND_ANCIENNITET, person_views.behind_anciennitet),
         at_data_month=True),
    View("paa-vej-ned", "På vej ned ad trappen", person_views.PAA_VEJ_NED,
         person_views.paa_vej_ned_rows, names_citizens=True, at_data_month=True),
    View("genoptjening", "Genoptjening", person_views.GENOPTJENING, person_views.genoptjening_rows,
         behind=(person_views.BEHIND_GENOPTJENING, person_views.behind_genoptjening),
         at_data_month=True),
    View("sammenligning", "Sammenligning", comparison_views.SAMMENLIGNING,
         comparison_views.sammenligning_rows, figures_of=comparison_views.figures_of,
         has_areas=True),
    View("udvikling", "Udvikling over 25 måneder", course_views.UDVIKLING,
         course_views.udvikling_rows),
    View("mellemkommunalt", "Mellemkommunale rækker", money_views.MELLEMKOMMUNALT,
         money_views.mellemkommunalt_rows, adds=True),
    View("overgange", "Overgange mellem ydelser", course_views.OVERGANGE,
         course_views.overgange_rows),
    View("fleksbidrag", "Fleksbidrag", course_views.FLEKSBIDRAG_VIEW,
         course_views.fleksbidrag_rows, names_citizens=True),
    View("fuldstaendighed", "Fuldstændighed", control_views.FULDSTAENDIGHED,
         control_views.fuldstaendighed_rows, adds=True, not_by=("municipality",)),
    View("forventet", "Forventet efter Ydelsesindekset", expected_views.FORVENTET,
         expected_views.forventet_rows, adds=True, not_by=("municipality",),
         behind=(expected_views.BEHIND_FORVENTET, expected_views.behind_forventet)),
    View("afstemning", "Afstemning med eget regnskab", books.AFSTEMNING, books.afstemning_rows,
         adds=True, not_by=("benefit",)),
    View("kontrol", "Kontrol mod ledgeren", control_views.KONTROL, control_views.kontrol_rows,
         adds=True, of_reporters=(control_views.OF_REPORTERS, control_views.reporters_rows)),
    View("landet", "Landet", money_views.LANDET, money_views.landet_rows, adds=True),
    View("borger", "En borgers udvikling", course_views.BORGER, course_views.borger_rows,
         names_citizens=True),
    View("ugens-vaerdi", "Hvad en uge er værd", course_views.UGENS_VAERDI,
         course_views.ugens_vaerdi_rows, at_data_month=True),
    View("prognose", "Prognose for de næste tolv måneder", forecast_views.PROGNOSE,
         forecast_views.prognose_rows, figures_of=forecast_views.prognose_figures, has_areas=True,
         sums_itself=True),
    View("prognosefejl", "Hvor meget prognoserne tog fejl", forecast_views.PROGNOSEFEJL,
         forecast_views.prognosefejl_rows, not_by=("benefit", "month"), has_areas=True),
)  # fmt: skip
VIEWS: Final = {view.name: view for view in _ALL}
"""The views by name, in the order in which people are shown them."""


def view_of(name: str) -> View:
    """Find a view. Raises ViewError where there is none of the name."""
    if name not in VIEWS:
        raise ViewError(f"there is no view {name!r}; there are {', '.join(VIEWS)}")
    return VIEWS[name]


def check_options(view: View, scope: ViewScope) -> None:
    """Raise ViewError for an option that a view would pass over in silence."""
    if scope.question.reporters:
        if view.of_reporters is None:
            raise ViewError(f"{view.name} has no lines by reporter; leave --reporters out")
        figures, _ = view.of_reporters
        if scope.question.municipality is not None and MUNICIPALITY not in figures:
            raise ViewError(
                "what a reporter sends is for many municipalities, so --reporters has no lines of"
                " one; leave --municipality out"
            )
    for option in view.not_by:
        if getattr(scope.question, option) is not None:
            raise ViewError(f"{view.name} has no rows by {option}; leave --{option} out")
    month = scope.question.month
    if view.at_data_month and month not in (None, scope.data_month):
        raise ViewError(
            f"{view.name} is about {scope.data_month}, the data month of run {scope.last_run};"
            f" ask --as of with the run of {month}, or leave --month out"
        )


def is_total(view: View, row: AnswerRow) -> bool:
    """Tell a total row from the rows that it sums."""
    if view.total is None:
        return False
    names = [figure.name for figure in view.figures]
    keys = [name for name in (view.total, "rate") if name in names]
    return any(row[names.index(name)] is None for name in keys)


def summed_by(
    view: View, question: LisQuestion, rows: list[AnswerRow]
) -> tuple[tuple[Figure, ...], list[AnswerRow]]:
    """Sum a view's rows by fewer columns (`--by`). Raises ViewError where they do not add up."""
    if not question.by:
        return view.figures, rows
    names = [figure.name for figure in view.figures]
    keys = [name for name, figure in zip(names, view.figures, strict=True) if not figure.adds]
    if not view.adds:
        raise ViewError(
            f"the figures of {view.name} are counts of persons or shares, which do not add up;"
            " leave --by out"
        )
    if unknown := [name for name in question.by if name not in keys]:
        raise ViewError(f"--by {unknown[0]}: {view.name} can be summed by {', '.join(keys)}")
    places = [names.index(name) for name in question.by]
    adding = [at for at, figure in enumerate(view.figures) if figure.adds]
    sums: dict[tuple[Any, ...], list[int]] = defaultdict(lambda: [0] * len(adding))
    for row in rows:
        if not is_total(view, row):
            entry = sums[tuple(row[at] for at in places)]
            for place, at in enumerate(adding):
                entry[place] += row[at] or 0
    figures = tuple(view.figures[at] for at in (*places, *adding))
    ordered = sorted(sums, key=lambda key: tuple((part is None, str(part)) for part in key))
    return figures, [(*key, *sums[key]) for key in ordered]
