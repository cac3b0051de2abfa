"""A world in which a seed decides: the real batch loop and stages on simulated brokers and disks.

Time jumps (`clock`), brokers keep Kafka's promises (`cluster`, `logs`, `transactions`, `groups`),
processes die or stand still, requests are lost or doubled (`network`), disks forget (`disks`).
`plan` draws what a seed has, `mishaps` what goes wrong, `world` runs it; `auditor` says whether all
is right. Start with `world.py`; `promises.md` says what the simulated parts promise.
"""
