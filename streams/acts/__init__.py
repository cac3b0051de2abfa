"""Records who does what before it is done, and lets a second person approve what needs two.

Touches: settings, Kafka, privacy, the state folder, syslog. Start with `acts.py`, which is all that
other rooms call; `four_eyes.py` is for acts that wait for another person.
"""
