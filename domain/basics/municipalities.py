"""The municipality of a posting row."""


def municipality_of_row(mechanism: str, paying: str | None, financing: str | None) -> str | None:
    """Return whose row it is: refusion is due to who paid, medfinansiering from who finances.

    >>> municipality_of_row("refusion", "730", "751")
    '730'
    >>> municipality_of_row("medfinansiering", None, "751")
    '751'
    """
    return paying if mechanism == "refusion" else financing
