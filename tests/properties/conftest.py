"""One profile for all properties: the same examples in every run, so that nothing flakes.

`HYPOTHESIS_PROFILE=search` looks for new ones instead.
"""

import os

from hypothesis import HealthCheck, settings

# No deadline: an example is a whole life. The time is bounded by the number of examples.
settings.register_profile(
    "steady",
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "search", settings.get_profile("steady"), derandomize=False, print_blob=True
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))
