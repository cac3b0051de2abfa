"""Bad input at scale: foreign bytes of every kind are spoiled by the ten thousand, from a seed.

`mutations` spoils bytes, JSON and YAML; a kind (`records`, `journal`, `state`, `ledger`,
`rule_files`, `tables`) says what is spoiled and what must hold then. `corpus/KIND/SAMPLE--NAME` is
what once went wrong, and is always tried again. Start with `kinds.py`;
`python -m tests.fuzz --help` hunts outside of what every change must pass.
"""
