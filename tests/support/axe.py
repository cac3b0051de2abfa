"""The axe-core library, which looks at a page in a browser for what keeps people out.

`tests/fixtures/axe-core` has `axe.min.js` of npm's axe-core 4.14.1 (MPL-2.0), for tests alone.
"""

import json
from pathlib import Path

AXE = Path(__file__).parents[1] / "fixtures" / "axe-core" / "axe.min.js"
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]


def violations(page):
    """Let axe-core look at a page, and say what is wrong: rule and element."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text("utf-8"))
    options = json.dumps(
        {"runOnly": {"type": "tag", "values": TAGS}, "resultTypes": ["violations"]}
    )
    found = page.evaluate(f"axe.run(document, {options})")
    return [
        (problem["id"], node["target"])
        for problem in found["violations"]
        for node in problem["nodes"]
    ]
