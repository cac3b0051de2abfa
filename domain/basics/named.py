"""Makes named tuples at the cost of plain ones.

    made(Point, (1, 2))    is    Point(1, 2)

The constructor of a named tuple is a call in Python; `made` is none. It is used where one is made
for every report. The number of fields is not checked.
"""

made = tuple.__new__
