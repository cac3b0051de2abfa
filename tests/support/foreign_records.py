"""Records that nobody of ours wrote: any bytes, keys and headers, and copies of genuine ones."""

import orjson
from hypothesis import strategies as st

from streams.settings import Settings

CITIZEN = b"0f" * 16
AT = {"schema": 1, "written_at": "2024-02-01T08:00:00Z"}
RUN = {"schema": 1, "type": "run", "run": 99, "closed_at": "2028-04-01T08:00:00Z"}
RUN |= {"data_month": "2028-03"}
CONTROLS = [
    {"type": "rules", "id": "r-1", "rules": "NO-SUCH", **AT},
    {"type": "recalculate", "id": "c-1", "scope": "all", **AT},
    {"type": "keys", "id": "k", "pseudonym_key": "p0", "seal_keys": [], "journal_keys": [],
     "demo": False, **AT},
    {"type": "free", "id": "f", "citizen": CITIZEN.decode(), "reporter": "12345678",
     "report_id": "r-1", "reason": "x", **AT},
    RUN,
]  # fmt: skip
PAYMENT = {
    "schema": 1, "type": "benefit_payment", "report_id": "forged", "reporter": "12345678",
    "reported_at": "2024-02-01T08:00:00Z", "cpr_sealed": "k00000000.x", "benefit": "KTH",
    "period_start": "2023-01-01", "period_end": "2023-01-31", "amount_ore": 900_000_000,
    "atp_ore": 0, "paying_municipality": "730", "financing_municipality": "730",
    "channel": "direct", "outside_act": False,
}  # fmt: skip
ROW = {
    "id": "0f" * 12 + "0", "kind": "result", "month": "2023-01", "week": "2023-01-02",
    "benefit": "KTH", "paying": "730", "financing": "730", "amount_ore": 900_000_000,
    "ordinal": 1, "mechanism": "refusion", "rate": 80, "refusion_ore": 720_000_000,
    "medfinansiering_ore": 0, "account": None,
}  # fmt: skip
POSTING = {
    "schema": 1, "type": "postings", "citizen": CITIZEN.decode(), "revision": 1, "cause": "1/2",
    "reason": "report", "rules": "R-1", "cpr_sealed": "k0.x", "counters": {}, "rows": [ROW],
}  # fmt: skip
JSON = [
    b"{}",
    b"[]",
    b"null",
    b"7",
    b'"text"',
    b"{",
    *map(orjson.dumps, [*CONTROLS, PAYMENT, POSTING]),
]
OUR_KEY = Settings.load({"REFUSION_DEMO": "1"}).macs().key_id.encode()
HEADERS = [
    [],
    [("mac", OUR_KEY + b"." + b"a" * 32), ("ce_type", b"refusion.state/h")],
    [("mac", b""), ("mac", None), ("ce_type", None)],
    [("ce_id", b"x"), ("stage", b"\xff"), ("offset", b"9" * 40)],
    [("mac", b"m00000000." + b"a" * 32), ("ce_type", b"refusion.run"), ("raw", b"x/0/9999")],
]


def keys(citizens):
    """Keys that a foreign record may have: genuine citizens among them."""
    return st.one_of(st.none(), st.binary(max_size=40), st.sampled_from([b"", CITIZEN, *citizens]))


VALUES = st.one_of(st.none(), st.binary(max_size=60), st.sampled_from(JSON))
"""Values that a foreign record may have."""


def moved(record, key, value, how):
    """A copy of a genuine record: as it is, under another key, or with another value."""
    if how == "key":
        return record._replace(key=key)
    if how == "value":
        return record._replace(value=value)
    if how == "header":
        return record.with_header("ce_id", b"test.reports/0/999999")
    return record
