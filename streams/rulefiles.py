"""Reads the rule files that the program brings along (`domain/rules/`)."""

from collections.abc import Hashable
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

import yaml

from domain.rulereading import FILES, rule_set_from
from domain.ruleset import RuleError, RuleSet

try:
    from yaml import CSafeLoader as SafeLoader
except ImportError:  # PyYAML was built without libyaml
    from yaml import SafeLoader  # type: ignore[assignment]


class _RuleLoader(SafeLoader):
    """YAML in which a key stands once, and in which an impossible date stays a text."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, object]:
        seen: set[tuple[str, str]] = set()
        for key, _ in node.value:
            if (key.tag, str(key.value)) in seen:
                raise yaml.constructor.ConstructorError(
                    "while reading a mapping", node.start_mark, f"the key {key.value!r} stands twice", key.start_mark
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


@cache
def load_rule_set(name: str = "R-1", folder: Path | None = None) -> RuleSet:
    """The rule set of this name, from `folder` or else from the installed package.

    Raises:
        RuleError: there is no such rule set, or a file cannot be read or used; the message says which and where.
    """
    root = folder or files("domain") / "rules"
    return rule_set_from(name, read_documents(name, root))


def read_documents(name: str, root: Traversable) -> dict[str, object]:
    """The parsed rule files of a rule set, by their names below `root`."""
    known = sorted(file.name.removesuffix(".yaml") for file in (root / "rule-sets").iterdir())
    if name not in known:
        raise RuleError(f"there is no rule set {name!r}; known are {', '.join(known)}")
    return {file: read_document(root, file) for file in (*FILES, f"rule-sets/{name}.yaml")}


def read_document(root: Traversable, file: str) -> object:
    """One parsed YAML file; an error names the file, and the line where there is one."""
    try:
        text = root.joinpath(*file.split("/")).read_text(encoding="utf-8")
        return yaml.load(text, _RuleLoader)  # noqa: S506  (it derives from the safe loader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else "unknown"
        raise RuleError(f"{file}: line {line}: {error.problem}") from error
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        raise RuleError(f"{file}: cannot be read: {error}") from error
