"""The axe-core library, which looks at a page in a browser for what keeps people out.

`tests/fixtures/axe-core` has `axe.min.js` of npm's axe-core 4.14.1 (MPL-2.0), for tests alone.
"""

from pathlib import Path

AXE = Path(__file__).parents[1] / "fixtures" / "axe-core" / "axe.min.js"
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]
COLOURS = ["color-contrast", "link-in-text-block"]
"""The rules of those tags that look at colours."""
LOOK = """
options => axe.run(document, options).then(
    found => found.violations.flatMap(it => it.nodes.map(node => [it.id, node.target])))
"""
"""Problems alone come out of the browser: all that is right would take as long as the look."""


def violations(page, rules=None):
    """Let axe-core look at a page by some rules, or by all of our tags; say rule and element."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text("utf-8"))
    only = {"type": "rule", "values": rules} if rules else {"type": "tag", "values": TAGS}
    found = page.evaluate(LOOK, {"runOnly": only, "resultTypes": ["violations"]})
    return [(rule, target) for rule, target in found]
