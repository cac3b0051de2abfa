"""The law as pure functions and dated data.

Touches: nothing. No clock, no input or output, no framework, no other package of ours.
Rooms, from the ground up: basics, ruledata (beside the data in rules/), law, citizen, explain;
oracle stands apart.
Start with `citizen/aggregate.py`: one citizen, report by report.
"""
