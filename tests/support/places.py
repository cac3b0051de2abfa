"""Names the folders of the repository that tests read."""

from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
DOCS: Final = ROOT / "docs"
FIXTURES: Final = ROOT / "tests" / "fixtures"
RULES: Final = FIXTURES / "rules"
