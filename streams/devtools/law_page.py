"""The law page docs/law.md, written from the rule data and the law cases (`make law`).

`python -m streams.devtools.law_page tests/law docs/law.md streams/web/desk/law_cases.yaml` writes
it, and the cases for the site, which an installed program has no tests to read from; a test keeps
both current.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import yaml

from domain.ruledata.ruleset import RuleError
from projections.pages.law import LawCase, law_pages, rule_names
from streams.citizens.rule_sets import (
    PACKAGED,
    LawBook,
    load_rule_set,
    read_document,
    rule_set_names,
)
from streams.privacy.cpr import digits_in


def law_text(law_cases: Path, page: Path) -> str:
    """Write the document at `page`, with the cases of a folder.

    Raises:
        RuleError: the list of what cases show names an unknown case or rule, or leaves a case out.
    """
    rules, sources = load_rule_set(), read_document(PACKAGED, "sources.yaml")
    if not isinstance(sources, dict):
        raise RuleError("sources.yaml: is not a mapping")
    shown = cases(law_cases, page, known_rules())
    others = [load_rule_set(name) for name in rule_set_names(PACKAGED) if name != rules.name]
    return law_pages(rules, sources["sources"], shown, others)


def known_rules() -> Mapping[str, str]:
    """The rules that a case may show: those of every rule set that the program brings along."""
    return rule_names(LawBook().catalogue())


def cases(law_cases: Path, page: Path, known: Mapping[str, str]) -> list[LawCase]:
    """Return the cases of a folder in order, each with the rules that `shows.yaml` lists for it."""
    listed = law_cases / "shows.yaml"
    shows = yaml.safe_load(listed.read_text(encoding="utf-8"))
    files = {path.stem: path for path in sorted((law_cases / "cases").glob("*.txt"))}
    if odd := sorted(shows.keys() ^ files.keys()):
        raise RuleError(
            f"{listed.name}: {odd[0]} stands either here or among the cases, not in both"
        )
    entries = []
    for name, path in files.items():
        if unknown := [rule for rule in shows[name] if rule not in known]:
            raise RuleError(
                f"{listed.name}: {name}: {unknown[0]!r} is no rule;"
                f" rules are named such as {', '.join([*known][:3])}"
            )
        title = path.read_text(encoding="utf-8").splitlines()[0]
        entries.append(
            LawCase(title, Path(os.path.relpath(path, page.parent)).as_posix(), tuple(shows[name]))
        )
    return entries


def cases_for_site(law_cases: Path) -> str:
    """Write the cases as YAML: title, rules and text by name; citizens have no numbers in it."""
    found = {
        Path(case.link).stem: {
            "title": case.title,
            "shows": [*case.shows],
            "text": _without_numbers((law_cases / "cases" / case.link).read_text(encoding="utf-8")),
        }
        for case in cases(law_cases, law_cases / "cases" / "law.md", known_rules())
    }
    head = "# The law cases of tests/law for the page of rules: made by `make law`, not by hand.\n"
    return head + yaml.safe_dump(found, allow_unicode=True, sort_keys=True, width=10_000)


def _without_numbers(text: str) -> str:
    """Call citizens A, B and so on in the place of their fictive CPR numbers."""
    for at, number in enumerate(dict.fromkeys(digits_in(text.encode()))):
        text = text.replace(number, chr(ord("A") + at))
    return text


if __name__ == "__main__":
    folder, target, of_site = map(Path, sys.argv[1:])
    target.write_text(law_text(folder, target), encoding="utf-8")
    of_site.write_text(cases_for_site(folder), encoding="utf-8")
