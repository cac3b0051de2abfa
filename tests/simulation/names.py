"""The topics of the simulated world."""

PREFIX = "refusion."
RAW, JOURNAL, POSTINGS, STATE, NOTICES, DEAD = (
    PREFIX + name
    for name in ("reports.raw", "reports", "postings", "citizens", "notices", "dead-letters")
)
READ_BY = {"intake": RAW, "citizens": JOURNAL, "projections": POSTINGS}
"""The topic that each stage reads."""
