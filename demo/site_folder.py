"""Writes what operators of the demonstration's site have to say: news, windows, days, persons.

Days are counted from today, so that nothing of it is over.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import yaml

NEWS: Final = """# Tre kørsler er lukket

Kørslerne for **oktober, november og december 2024** er lukket. Tallene findes under
[Ledelsesinformation](/lis).

Alle borgere, beløb og kontaktpersoner på denne side er opdigtede.
"""
CONTACTS: Final = {
    "730": [{"name": "Åse Ærlig", "phone": "12 34 56 78", "mail": "aase@example.org"}],
    "751": [{"name": "Bo Østergård", "phone": "12 34 56 79", "mail": "bo@example.org"}],
}


def write_site_folder(folder: Path) -> None:
    """Write the files of `REFUSION_WEB_FOLDER`."""
    today = datetime.now(UTC).replace(hour=20, minute=0, second=0, microsecond=0)
    window = today + timedelta(days=7)
    news = folder / "news" / f"{today.date()}-tre-koersler-er-lukket.markdown"
    news.parent.mkdir(parents=True)
    news.write_text(NEWS, "utf-8")
    operation = {
        "windows": [
            {
                "from": window.isoformat(),
                "to": (window + timedelta(hours=2)).isoformat(),
                "text": "Ny version. Siden kan være nede imens.",
            }
        ],
        "faults": [
            {
                "since": (today - timedelta(days=10)).date().isoformat(),
                "text": "Demonstrationen har ingen filer, der kan leveres.",
                "state": "Rettes ikke",
            }
        ],
    }
    days = [{"date": window.date().isoformat(), "text": "Kørslen for januar 2025 lukkes"}]
    for name, content in (
        ("operation", operation),
        ("calendar", days),
        ("contacts", CONTACTS),
    ):
        text = yaml.safe_dump(content, allow_unicode=True)
        (folder / f"{name}.yaml").write_text(text, "utf-8")
