"""A real cluster that dies: three brokers, three workers, a publisher, and faults from a seed.

`machines` are the brokers, behind a proxy, and the workers; `faults` says what is done to them;
`run` draws faults, waits for rest and audits. `python -m tests.cluster --faults N --seed S` is
`make test-night`.
"""
