"""Reads rule sets: those that the program brings along (`domain/rules/`), and files of one's own.

`LawBook` holds all that a process knows by name, and `LawBook.catalogue` the benefits of them all.
"""

from collections.abc import Hashable
from dataclasses import replace
from datetime import date
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final, Protocol

import yaml

from domain.law.staircase import Law
from domain.ruledata.fields import shown
from domain.ruledata.reading import FILES, rule_set_from
from domain.ruledata.ruleset import Benefit, RuleError, RuleSet
from domain.ruledata.switches import IMPLEMENTED, base_file_of
from streams.kit.errors import UnworkableError
from streams.privacy.cpr import without_cpr

try:
    from yaml import CSafeLoader as SafeLoader
except ImportError:  # PyYAML was built without libyaml
    from yaml import SafeLoader  # type: ignore[assignment]


LARGEST_BYTES: Final = 4 << 20
"""Bytes of the largest file that is read; the largest of ours has 30 kB."""


DEEPEST: Final = 40
"""Levels of the deepest file that is read; the deepest of ours has 8."""


class _RuleLoader(SafeLoader):
    """YAML in which a key stands once, and in which an impossible date stays a text."""

    def construct_mapping(
        self, node: yaml.MappingNode, deep: bool = False
    ) -> dict[Hashable, object]:
        seen: set[tuple[str, str]] = set()
        for key, _ in node.value:
            if (key.tag, str(key.value)) in seen:
                raise yaml.constructor.ConstructorError(
                    "while reading a mapping",
                    node.start_mark,
                    f"the key {shown(key.value)} stands twice",
                    key.start_mark,
                )
            seen.add((key.tag, str(key.value)))
        return super().construct_mapping(node, deep)

    def construct_date(self, node: yaml.ScalarNode) -> object:
        """A date; 30 February stays a text, for the field's reader to refuse by name."""
        try:
            return self.construct_yaml_timestamp(node)
        except ValueError:
            return node.value


_RuleLoader.add_constructor("tag:yaml.org,2002:timestamp", _RuleLoader.construct_date)


PACKAGED = files("domain") / "rules"
DEFAULT = "R-1"


def load_rule_set(name: str = DEFAULT, folder: Path | None = None) -> RuleSet:
    """The rule set of this name, from `folder` or else from the installed package.

    Raises:
        RuleError: there is no such rule set, or a file cannot be read or used; the message says
        which and where.
    """
    return _loaded(name, folder)


@cache
def _loaded(name: str, folder: Path | None) -> RuleSet:
    root = folder or PACKAGED
    if name not in (known := rule_set_names(root)):
        raise RuleError(f"there is no rule set {name!r}; known are {', '.join(known)}")
    rules = rule_set_from(_own_file(name), read_documents(name, root))
    if rules.name != name:
        raise RuleError(
            f"{_own_file(name)}: entry (whole file): field name: is not {name!r},"
            " the name of the file"
        )
    return rules


def chosen_rule_set(choice: str) -> RuleSet:
    """The rule set that a person names: one of the program's, or a rule set file by its path.

    Raises:
        RuleError: there is neither, or the file cannot be used or bears the name of a rule set that
        is not it.
    """
    known = rule_set_names(PACKAGED)
    if choice in known:
        return load_rule_set(choice)
    if not _is_file(Path(choice)):
        raise RuleError(
            f"there is no rule set and no file {choice!r}; known are {', '.join(known)}"
        )
    own = _parsed(Path(choice), choice)
    rules = rule_set_from(
        choice, _rule_documents(PACKAGED, own, Path(choice).parent) | {choice: own}
    )
    if rules.name in known:
        raise RuleError(
            f"{choice}: entry (whole file): field name: {shown(rules.name)} is a rule set that the"
            " program brings along; give yours another name, which its postings will carry"
        )
    return rules


def answering_otherwise(name: str, answer: str, folder: Path | None = None) -> RuleSet:
    """Return a rule set with another answer to one open question, as `UFB=BENEFIT`.

    `folder` has rule sets of one's own. Raises RuleError where there is no such set or answer.
    """
    switch, _, value = answer.partition("=")
    own: dict[str, object] = {"name": f"{name}-{switch}-{value}", "based_on": name}
    own |= {"valid_from": date(2014, 7, 1), "valid_to": None, "note": "Hvad hvis?"}
    own["switches"] = {switch: value}
    file = f"--answer {shown(answer)}"
    return rule_set_from(file, _rule_documents(PACKAGED, own, folder) | {file: own})


def answer_between(a: RuleSet, b: RuleSet, folder: Path | None = None) -> str:
    """Return the one answer by which a rule set differs from another; "" for any other change."""
    switches = [name for name, value in a.switches.items() if b.switches.get(name) != value]
    if len(switches) != 1:
        return ""
    answer = f"{switches[0]}={b.switches.get(switches[0], '')}"
    try:
        otherwise = answering_otherwise(a.name, answer, folder)
    except RuleError:
        return ""
    return answer if digest_of(otherwise) == digest_of(b) else ""


def digest_of(rules: RuleSet) -> str:
    """The digest of all rules that affect settlement; the same in every version of the program."""
    return rules.digest({switch: values[0] for switch, values in IMPLEMENTED.items()})


class Laws(Protocol):
    """The rule sets that are known here."""

    def law(self, name: str, digest: str = "") -> Law:
        """Give the law of a rule set, the same object for the same name.

        Raises UserError where the digest is of another one.
        """


class LawBook:
    """The rule sets that this process knows by name: the program's own, and those of a folder."""

    def __init__(self, folder: Path | None = None) -> None:
        """Raises UnworkableError for a folder that cannot be read: rule sets would be missing."""
        try:
            files = [file for file in folder.iterdir() if file.suffix == ".yaml"] if folder else []
        except OSError as error:
            raise UnworkableError(f"REFUSION_RULES: {folder}: {error.strerror}") from error
        self._folder = folder
        self._files = {file.stem: str(file) for file in sorted(files)}
        self._laws: dict[str, tuple[Law, str]] = {}

    def names(self) -> list[str]:
        """The names of all rule sets."""
        return sorted({*rule_set_names(PACKAGED), *self._files})

    def law(self, name: str, digest: str = "") -> Law:
        """The law of a rule set: the same object for the same name.

        Raises UnworkableError where it is not known, cannot be used, or has other content than
        `digest` tells.
        """
        if name not in self._laws:
            rules = self._read(name)
            self._laws[name] = Law(rules), digest_of(rules)
        law, known = self._laws[name]
        if digest and digest != known:
            raise UnworkableError(
                f"the rule set {name} of this program is another than the one of that name in the"
                f" journal (digest {known}, not {digest}): run the version, or set REFUSION_RULES"
                " to the folder, that has it; a change of rules takes a new name"
            )
        return law

    def answering(self, name: str, answer: str) -> Law:
        """Give the law of a rule set with another answer to one open question (`UFB=BENEFIT`).

        Raises UnworkableError where there is no such rule set or answer.
        """
        self.law(name)
        try:
            return Law(answering_otherwise(name, answer, self._folder))
        except RuleError as error:
            raise UnworkableError(str(error)) from error

    def catalogue(self, base: RuleSet | None = None) -> RuleSet:
        """A rule set (R-1 where none is given) with the benefits of all others beside its own.

        Intake lets these through, and people read their names; which of them are valid at a place
        of the journal, the citizens stage decides. Raises UnworkableError as `law`.
        """
        base = base or load_rule_set()
        benefits: dict[str, Benefit] = dict(base.benefits)
        for name in self.names():
            for code, benefit in self.law(name).rules.benefits.items():
                benefits[code] = _widened(benefits.get(code, benefit), benefit)
        return replace(base, benefits=benefits)

    def digest(self, name: str) -> str:
        """The digest of a rule set. Raises UnworkableError as `law`."""
        self.law(name)
        return self._laws[name][1]

    def _read(self, name: str) -> RuleSet:
        if name not in self.names():
            raise UnworkableError(
                f"the rule set {name} is not known here; known are {', '.join(self.names())}: run"
                " a version of the program that has it, or set REFUSION_RULES to a folder with its"
                " file"
            )
        try:
            rules = chosen_rule_set(self._files.get(name, name))
        except RuleError as error:
            raise UnworkableError(str(error)) from error
        if rules.name != name:
            raise UnworkableError(
                f"{self._files[name]}: its name is {rules.name}; name the file {rules.name}.yaml"
            )
        return rules


def _widened(benefit: Benefit, other: Benefit) -> Benefit:
    """A benefit, valid on the days on which it or another rule set's entry of it is."""
    ends = benefit.valid_to, other.valid_to
    return replace(
        benefit,
        valid_from=min(benefit.valid_from, other.valid_from),
        valid_to=None if None in ends else max(end for end in ends if end is not None),
    )


def rule_set_names(root: Traversable) -> list[str]:
    """The rule sets below a folder of rule files."""
    return sorted(file.name.removesuffix(".yaml") for file in (root / "rule-sets").iterdir())


def _own_file(name: str) -> str:
    return f"rule-sets/{name}.yaml"


def read_documents(name: str, root: Traversable) -> dict[str, object]:
    """The parsed rule files of a rule set, by their names below `root`."""
    own = read_document(root, _own_file(name))
    return _rule_documents(root, own) | {_own_file(name): own}


def _rule_documents(
    root: Traversable, own: object, folder: Path | None = None
) -> dict[str, object]:
    """The files that all rule sets read, and the rule set files that one is based on.

    These are rule sets of the program, or files beside the first one, in `folder`.
    """
    documents: dict[str, object] = {file: read_document(root, file) for file in FILES}
    while (base_file := base_file_of(own)) is not None and base_file not in documents:
        own = documents[base_file] = _base(root, base_file, folder)
    return documents


def _base(root: Traversable, base_file: str, folder: Path | None) -> object:
    beside = folder / Path(base_file).name if folder else None
    if base_file in map(_own_file, rule_set_names(root)):
        return read_document(root, base_file)
    if beside and _is_file(beside):
        return _parsed(beside, base_file)
    known = ", ".join(rule_set_names(root))
    raise RuleError(f"there is no {shown(base_file)} to base a rule set on; known are {known}")


def _is_file(path: Path) -> bool:
    """Tell whether there is a file; a name that no file can have is none."""
    try:
        return path.is_file()
    except OSError:
        return False


def read_document(root: Traversable, file: str) -> object:
    """One parsed YAML file below `root`; an error names the file and, where known, the line."""
    return _parsed(root.joinpath(*file.split("/")), file)


def _parsed(path: Traversable, file: str) -> object:
    try:
        with path.open("rb") as opened:
            content = opened.read(LARGEST_BYTES + 1)
    except OSError as error:
        raise RuleError(f"{file}: cannot be read: {error.strerror or error}") from error
    if len(content) > LARGEST_BYTES:
        raise RuleError(f"{file}: is larger than {LARGEST_BYTES:,} bytes: it is no such file")
    return parsed_yaml(content, file)


def parsed_yaml(content: bytes, file: str) -> object:
    """Parse the YAML of a file. Raises RuleError with the file and the line, and with no value."""
    try:
        text = content.decode("utf-8")
        _refuse_traps(text, file)
        return yaml.load(text, _RuleLoader)  # noqa: S506  (it derives from the safe loader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else "unknown"
        problem = without_cpr(" ".join(str(error.problem).split()))  # it quotes the file
        raise RuleError(f"{file}: line {line}: {problem}") from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise RuleError(f"{file}: line {line}: a character that YAML does not have") from error
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise RuleError(
            f"{file}: cannot be read: line {line} is not in UTF-8; convert the file"
        ) from error
    except RuleError:
        raise
    except (yaml.YAMLError, ValueError, LookupError, AttributeError, TypeError) as error:
        # PyYAML's own errors where a value does not fit its tag, such as `!!bool perhaps`.
        raise RuleError(f"{file}: a value is not what its form or tag says") from error


def _refuse_traps(text: str, file: str) -> None:
    """Raise RuleError at an alias, with which few lines stand for millions, and at deep nesting.

    The library descends into what is nested, and ends the process when its stack is full.
    """
    depth = 0
    for event in yaml.parse(text, _RuleLoader):
        if isinstance(event, yaml.AliasEvent):
            line = event.start_mark.line + 1 if event.start_mark else "unknown"
            raise RuleError(
                f"{file}: line {line}: an alias (*) is not allowed; write the entry out"
            )
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise RuleError(f"{file}: is nested more than {DEEPEST} deep: it is no such file")
