"""The reporters: 98 municipalities, the unemployment funds (a-kasser) and Udbetaling Danmark.

Every reporter has an eight-digit number that is a function of its owner. The numbers are fictive:
modulus 11 forbids their last digit, so no company has them.
"""

from enum import IntEnum
from functools import cache
from typing import Literal, NamedTuple

from streams.simulation.chance import Weighted

INHABITANTS = {
    "101": 650, "147": 104, "151": 51, "153": 39, "155": 14, "157": 75, "159": 69, "161": 24,
    "163": 29, "165": 28, "167": 53, "169": 57, "173": 58, "175": 42, "183": 23, "185": 43,
    "187": 17, "190": 42, "201": 26, "210": 42, "217": 64, "219": 54, "223": 25, "230": 58,
    "240": 45, "250": 47, "253": 52, "259": 63, "260": 31, "265": 91, "269": 24, "270": 42,
    "306": 33, "316": 74, "320": 37, "326": 49, "329": 36, "330": 80, "336": 24, "340": 31,
    "350": 29, "360": 40, "370": 84, "376": 60, "390": 46, "400": 39, "410": 40, "420": 41,
    "430": 52, "440": 24, "450": 32, "461": 209, "479": 59, "480": 30, "482": 12, "492": 6,
    "510": 55, "530": 27, "540": 74, "550": 37, "561": 116, "563": 3, "573": 50, "575": 43,
    "580": 59, "607": 52, "615": 96, "621": 95, "630": 121, "657": 90, "661": 59, "665": 19,
    "671": 21, "706": 44, "707": 38, "710": 49, "727": 24, "730": 100, "740": 101, "741": 4,
    "746": 66, "751": 367, "756": 42, "760": 57, "766": 48, "773": 20, "779": 45, "787": 43,
    "791": 97, "810": 37, "813": 59, "820": 36, "825": 2, "840": 31, "846": 42, "849": 39,
    "851": 225, "860": 64,
}  # fmt: skip
"""Inhabitants of each municipality in thousands, about 2023 (expert knowledge).

They are the probability that a citizen lives there.
"""

MUNICIPALITIES = Weighted(tuple(INHABITANTS), tuple(INHABITANTS.values()))
UNEMPLOYMENT_FUNDS = 21

OwnerKind = Literal["municipality", "a-kasse", "udbetaling-danmark"]


class Office(IntEnum):
    """The systems of a municipality and of Udbetaling Danmark, each with its own number."""

    SICKNESS = 1
    SUPPORT = 2
    PAYROLL = 3
    PENSION = 4
    STUDY = 5
    FAMILY = 6


class Owner(NamedTuple):
    """The owner of a reporter.

    `code` is the municipality's code, the fund's running number, or empty.
    """

    kind: OwnerKind
    code: str


@cache
def municipal(municipality: str, office: Office) -> str:
    """Return the reporter number of one system of a municipality."""
    return _fictive(f"2{municipality}00{office:d}")


@cache
def unemployment_fund(fund: int) -> str:
    """Return the reporter number of an unemployment fund, 0 to UNEMPLOYMENT_FUNDS - 1."""
    return _fictive(f"30000{fund:02d}")


@cache
def udbetaling_danmark(office: Office) -> str:
    """Return the reporter number of one system of Udbetaling Danmark."""
    return _fictive(f"400000{office:d}")


def owner_of(reporter: str) -> Owner:
    """Return the owner of a simulated reporter.

    Raises:
        ValueError: the number is not one of the simulation.
    """
    if reporter == _fictive(reporter[:7]) and reporter[0] in "234":
        if reporter[0] == "2":
            return Owner("municipality", reporter[1:4])
        return (
            Owner("a-kasse", reporter[5:7])
            if reporter[0] == "3"
            else Owner("udbetaling-danmark", "")
        )
    raise ValueError("not a reporter of the simulation")


def _fictive(body: str) -> str:
    """Add an eighth digit that modulus 11 does not allow."""
    weighted = sum(
        int(digit) * weight for digit, weight in zip(body, (2, 7, 6, 5, 4, 3, 2), strict=True)
    )
    return f"{body}{(-weighted % 11 + 5) % 10}"
