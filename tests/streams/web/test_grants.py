"""Claims become roles by the mapping file; a municipality gives no role beyond itself."""

import json

import pytest

from streams.citizens.rule_sets import load_rule_set
from streams.web.grants import (
    GrantMap,
    GrantsError,
    NoRoleError,
    municipality_of_cvr,
    read_grants,
    visitor_of_claims,
)
from streams.web.visitors import Role

RANDERS, AARHUS, STAR = "29189668", "55133018", "12345678"
MAP = GrantMap(
    roles={"urn:view": Role.LIS, "urn:case": Role.CASEWORKER, "urn:audit": Role.AUDITOR},
    authorities=frozenset({STAR}),
    limits=frozenset({("urn:dk:kombit:KLE", "32.30")}),
)


def group(cvr, *names):
    return {"cvr": cvr, "c": [{"urn:dk:kombit:KLE": "32.30"}], "p": list(names)}


def who(claims, grants=MAP):
    seen = visitor_of_claims({"sub": "s"} | claims, grants)
    return {str(role) for role in seen.roles}, seen.municipality


def test_every_municipality_has_its_cvr_number_with_a_right_check_digit():
    numbers = municipality_of_cvr()
    assert sorted(numbers.values()) == sorted(load_rule_set().municipalities)
    assert len(numbers) == 98
    for number in numbers:
        weights = (2, 7, 6, 5, 4, 3, 2, 1)
        assert sum(int(d) * w for d, w in zip(number, weights, strict=True)) % 11 == 0, number


@pytest.mark.parametrize(
    "privilege",
    [
        group(RANDERS, "urn:view", "urn:other"),
        [group(RANDERS, "urn:view")],
        json.dumps(group(RANDERS, "urn:view")),
        [json.dumps(group(RANDERS, "urn:view"))],
        json.dumps([group(RANDERS, "urn:view")]),
    ],
)
def test_privileges_are_read_in_each_form(privilege):
    assert who({"privilege": privilege}) == ({"lis"}, "730")


def test_plain_claims_are_read():
    assert who({"roles": ["economy", "x"], "municipality": ["730"]}, GrantMap()) == (
        {"economy"},
        "730",
    )
    assert who({"roles": "auditor"}, GrantMap()) == ({"auditor"}, None)


def test_a_municipality_gives_no_role_beyond_itself():
    with pytest.raises(NoRoleError):
        who({"privilege": group(RANDERS, "urn:audit")})
    assert who({"privilege": [group(RANDERS, "urn:audit", "urn:view")]}) == ({"lis"}, "730")
    assert who({"privilege": group(STAR, "urn:audit", "urn:view")}) == ({"auditor"}, None)
    nowhere = {"roles": ["urn:case"], "municipality": "999"}
    assert who(nowhere | {"privilege": group(RANDERS, "urn:view")}) == ({"lis"}, "730")


KLE = "urn:dk:kombit:KLE"


@pytest.mark.parametrize(
    "limits",
    [
        [{KLE: "25.*"}],
        {KLE: "25.*"},
        [{KLE: "32.30"}, {KLE: "25.*"}],
        [{KLE: "32.30", "urn:dk:kombit:orgenhed": "x"}],
        [{KLE: ["32.30", "25.*"]}],
        [{KLE: "32.30,25.*"}],
        [{KLE: []}],
        [{KLE: 32.30}],
        [{KLE: {"32.30": 1}}],
        ["32.30"],
        "32.30",
        7,
    ],
    ids=range(12),
)
def test_privileges_with_another_data_limit_than_those_of_the_mapping_file_give_no_role(limits):
    limited = {"cvr": RANDERS, "c": limits, "p": ["urn:case"]}
    with pytest.raises(NoRoleError, match="privileges with data limits"):
        who({"privilege": limited})
    assert who({"privilege": [limited, group(RANDERS, "urn:view")]}) == ({"lis"}, "730")


def test_a_mapping_file_without_a_limit_allows_none():
    with pytest.raises(NoRoleError, match="privileges with data limits"):
        who({"privilege": group(RANDERS, "urn:view")}, MAP._replace(limits=frozenset()))


def test_limits_are_passed_over_where_the_mapping_file_does_not_speak_of_them():
    limited = {"cvr": RANDERS, "c": [{KLE: "25.*"}], "p": ["urn:case"]}
    assert who({"privilege": limited}, MAP._replace(limits=None)) == ({"caseworker"}, "730")


@pytest.mark.parametrize("limits", [None, [], [{KLE: "32.30"}], {KLE: ["32.30"]}])
def test_privileges_within_the_limits_of_the_mapping_file_give_their_role(limits):
    within = {"cvr": RANDERS, "c": limits, "p": ["urn:case"]}
    assert who({"privilege": within}) == ({"caseworker"}, "730")


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"roles": ["lis"]},
        {"roles": ["lis"], "municipality": "999"},
        {"privilege": [group(RANDERS, "urn:view"), group(AARHUS, "urn:view")]},
        {"privilege": group("87654321", "urn:view", "urn:audit")},
        {"privilege": "no json"},
        {"privilege": "[" * 5000},
        {"privilege": 7},
        {"privilege": {"cvr": 7, "p": ["urn:view"]}},
        {"roles": {"lis": 1}, "municipality": "730"},
    ],
    ids=range(10),
)
def test_who_has_nothing_to_see_is_refused(claims):
    with pytest.raises(NoRoleError):
        who(claims)


def test_the_mapping_file_is_read(tmp_path):
    path = tmp_path / "roles.yaml"
    path.write_text(
        "claims: {roles: groups}\nroles: {urn-view: lis}\n"
        f'authorities: ["{STAR}"]\nprograms: {{randers-flis: "730"}}\n'
        'limits: {urn-kle: ["32.30", "32.39"]}\n'
    )
    grants = read_grants(path)
    assert grants.claims == {
        "roles": "groups", "municipality": "municipality", "privileges": "privilege",
    }  # fmt: skip
    assert grants.roles == {"urn-view": Role.LIS}
    assert grants.limits == frozenset({("urn-kle", "32.30"), ("urn-kle", "32.39")})
    assert grants.programs == {"randers-flis": "730"}


@pytest.mark.parametrize(
    "text",
    ["", "[]", "x", "a: {", "other: 1", "roles: {a: king}", 'programs: {a: "999"}', "roles: [lis]",
     "claims: {x: y}", "authorities: 7", "limits: {KLE: [32.30]}", 'limits: {KLE: "32.30"}',
     "limits: [KLE]"],
)  # fmt: skip
def test_a_mapping_file_that_cannot_be_used_is_refused_with_a_sentence(text, tmp_path):
    path = tmp_path / "roles.yaml"
    path.write_text(text)
    with pytest.raises(GrantsError, match="REFUSION_WEB_ROLES"):
        read_grants(path)
