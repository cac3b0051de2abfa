"""A world in which a seed decides: the real batch loop and stages on simulated brokers and disks.

Time jumps (`clock`), brokers keep Kafka's promises (`logs`, `transactions`, `groups`), processes
die or stand still, requests and answers are lost (`network`), disks forget (`disks`). `world` runs
one seed, `auditor` says whether all is right. Start with `world.py`; `promises.md` says what the
simulated brokers promise.
"""
