"""Turns the claims of a log-on into a visitor, by the mapping file that the operator keeps.

    claims: {roles: roles, municipality: municipality, privileges: privilege}
    roles:
      "urn:dk:example:sagsbehandler": caseworker
    authorities: ["12345678"]      # CVR numbers whose users may be state, auditor or operator
    programs:
      randers-flis: "730"          # client ids with client credentials, and their municipality
    limits:                        # data limits that leave a role whole
      "urn:dk:kombit:KLE": ["32.30"]

Claims come in two forms: plain ones (`roles`, `municipality`), and the privileges of KOMBIT's
access management as FoxIDs writes them in JSON, each with the CVR number it is limited to:
`{"cvr": "29189668", "p": ["urn:…"]}`. A municipality's own administrators choose what is in those;
so roles that reach beyond a municipality count there only from a CVR number among `authorities`.
Privileges with data limits, `"c": [{"urn:dk:kombit:KLE": "25.*"}]`, are for a part of what a role
shows. Nothing here is shown by parts, so with `limits` they count only where it has every one of
them; without it they count as if they had none.
"""

import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml

from domain.ruledata.ruleset import RuleError
from streams.citizens.rule_sets import PACKAGED, parsed_yaml
from streams.kit.errors import UserError
from streams.web.visitors import Role, Visitor

LARGEST_BYTES: Final = 1 << 20
OF_ONE: Final = frozenset({Role.LIS, Role.ECONOMY, Role.CASEWORKER})
"""Roles that mean something only with a municipality."""
CLAIMS: Final = {"roles": "roles", "municipality": "municipality", "privileges": "privilege"}
OUR_NAMES: Final[Mapping[str, Role]] = {str(role): role for role in Role}
_FIELDS: Final = {"claims", "roles", "authorities", "programs", "limits"}
Limit = tuple[str, str]
"""A data limit of privileges: its name and its value, as they are written."""
UNREADABLE: Final[Limit] = "", ""
"""A data limit in another form; no mapping file has it."""


class GrantsError(UserError):
    """The mapping file cannot be used; the message says why and what to do."""


class NoRoleError(Exception):
    """Somebody logged on who has no role here; the message says why, for the operator."""


class GrantMap(NamedTuple):
    """The mapping file, read."""

    claims: Mapping[str, str] = CLAIMS
    roles: Mapping[str, Role] = OUR_NAMES
    authorities: frozenset[str] = frozenset()
    programs: Mapping[str, str] = {}
    limits: frozenset[Limit] | None = None
    """None believes privileges whatever they are limited to."""

    def has_all(self, limits: frozenset[Limit]) -> bool:
        """Tell whether privileges with these data limits count."""
        return self.limits is None or limits <= self.limits


class PrivilegeGroup(NamedTuple):
    """Privileges of a CVR number, and the data limits that all of them have."""

    cvr: str
    names: list[str]
    limits: frozenset[Limit]


@cache
def municipality_of_cvr() -> Mapping[str, str]:
    """Return the code of each municipality by its CVR number."""
    text = (PACKAGED / "cvr.yaml").read_text("utf-8")
    numbers: dict[str, str] = yaml.safe_load(text)["numbers"]
    return numbers


def read_grants(path: Path | None) -> GrantMap:
    """Read the mapping file. Raises GrantsError."""
    if path is None:
        return GrantMap()
    try:
        content = path.read_bytes()[:LARGEST_BYTES]
        read = parsed_yaml(content, path.name)
        return _map_of(read)
    except OSError as error:
        raise GrantsError(f"REFUSION_WEB_ROLES: {path}: {error.strerror}") from error
    except RuleError as error:
        raise GrantsError(f"REFUSION_WEB_ROLES: {error}; see docs/web.md") from None
    except (TypeError, ValueError, AttributeError) as error:
        raise GrantsError(
            f"REFUSION_WEB_ROLES: {path} is not of the form that docs/web.md shows"
            f" ({error if isinstance(error, _FormError) else 'another kind of value'})"
        ) from None


class _FormError(ValueError):
    """Something is wrong in the mapping file."""


def _map_of(read: Any) -> GrantMap:
    if unknown := read.keys() - _FIELDS:
        raise _FormError(f"unknown: {', '.join(sorted(unknown))}")
    claims, programs = read.get("claims", {}), read.get("programs", {})
    if unknown := claims.keys() - CLAIMS.keys():
        raise _FormError(f"unknown in claims: {', '.join(sorted(unknown))}")
    codes = set(municipality_of_cvr().values())
    if wrong := {name for name, code in programs.items() if code not in codes}:
        raise _FormError(f"no municipality: {', '.join(sorted(wrong))}")
    names = read.get("roles")
    if names is not None and (wrong := {str(role) for role in names.values()} - set(Role)):
        raise _FormError(f"no role: {', '.join(sorted(wrong))}")
    roles = GrantMap().roles if names is None else {str(n): Role(r) for n, r in names.items()}
    authorities = frozenset(map(str, read.get("authorities", ())))
    return GrantMap(CLAIMS | claims, roles, authorities, programs, _mapped_limits(read))


def _mapped_limits(read: Any) -> frozenset[Limit] | None:
    if "limits" not in read:
        return None
    limits = read["limits"]
    wrong = [name for name, values in limits.items() if not (name and _is_texts(values))]
    if wrong:
        raise _FormError("write the values of limits as a list of texts, in quotes")
    return frozenset((str(name), value) for name, values in limits.items() for value in values)


def _is_texts(values: Any) -> bool:
    """Tell whether values are texts: YAML takes 32.30 without quotes for the number 32.3."""
    return isinstance(values, list) and all(isinstance(value, str) for value in values)


_LIMITED: Final = (
    "; there are privileges with data limits (`c`) that are not among `limits` of the mapping file,"
    " see docs/web.md"
)


def visitor_of_claims(claims: Mapping[str, Any], grants: GrantMap) -> Visitor:
    """Return who logged on. Raises NoRoleError where there is nothing to see for them."""
    roles: set[Role] = set()
    municipalities: set[str] = set()
    for found, municipality in _granted(claims, grants):
        roles |= found if municipality else found - OF_ONE
        municipalities |= {municipality} if municipality and found else set()
    if len(municipalities) > 1:
        raise NoRoleError("the claims name several municipalities, and a visitor has one")
    municipality = next(iter(municipalities), None)
    limited = _LIMITED if _is_limited(claims, grants) else ""
    if not roles:
        raise NoRoleError(
            "the claims give no role that is mapped and has its municipality" + limited
        )
    name = claims.get("name")
    subject = str(claims["sub"])
    return Visitor(subject, frozenset(roles), municipality, name if isinstance(name, str) else "")


def visitor_of_program(claims: Mapping[str, Any], grants: GrantMap) -> Visitor:
    """Return the program whose token this is. Raises NoRoleError for an unknown one."""
    client = claims.get("azp") or claims.get("client_id")
    municipality = grants.programs.get(client) if isinstance(client, str) else None
    if municipality is None:
        raise NoRoleError("the token is of no program in the mapping file")
    return Visitor(f"program:{client}", frozenset({Role.LIS}), municipality)


def _granted(claims: Mapping[str, Any], grants: GrantMap) -> Iterator[tuple[set[Role], str | None]]:
    """Yield roles with the municipality that they are limited to, as the claims give them."""
    plain = _texts(claims.get(grants.claims["roles"]))
    municipalities = _texts(claims.get(grants.claims["municipality"]))
    codes = set(municipality_of_cvr().values())
    if plain:
        found = {grants.roles[name] for name in plain if name in grants.roles}
        known = [code for code in municipalities if code in codes]
        yield from ((found, code) for code in known)
        if not known:
            yield found, None
    for cvr, names, limits in _privileges(claims.get(grants.claims["privileges"])):
        if not grants.has_all(limits):
            continue
        found = {grants.roles[name] for name in names if name in grants.roles}
        if cvr in municipality_of_cvr():
            yield found & OF_ONE, municipality_of_cvr()[cvr]
        if cvr in grants.authorities:
            yield found - OF_ONE, None


def _texts(value: Any) -> list[str]:
    """Return the texts of a claim that is one, or a list of them."""
    values = value if isinstance(value, list) else [value]
    return [text for text in values if isinstance(text, str)]


def _is_limited(claims: Mapping[str, Any], grants: GrantMap) -> bool:
    """Tell whether privileges have data limits that the mapping file does not have."""
    groups = _privileges(claims.get(grants.claims["privileges"]))
    return any(not grants.has_all(group.limits) for group in groups)


def _privileges(value: Any) -> Iterator[PrivilegeGroup]:
    """Yield the privileges of each CVR number, from JSON or from a text that holds JSON."""
    for group in value if isinstance(value, list) else [value]:
        if isinstance(group, str):
            yield from _privileges(_json_in(group))
        elif isinstance(group, dict) and isinstance(group.get("cvr"), str):
            limits = frozenset(_limits(group.get("c")))
            yield PrivilegeGroup(group["cvr"], _texts(group.get("p")), limits)


def _limits(value: Any) -> Iterator[Limit]:
    """Yield the data limits of privileges; one that cannot be read is a limit too."""
    for part in value if isinstance(value, list) else [value]:
        if isinstance(part, dict):
            for name, values in part.items():
                for each in values if values and isinstance(values, list) else [values]:
                    yield (name, each) if isinstance(each, str) else UNREADABLE
        elif part is not None:
            yield UNREADABLE


def _json_in(text: str) -> Any:
    """Return the object or list that a text spells; None for any other text."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict | list) else None
