"""Everything that touches the world: Kafka, disks, files, clocks, processes, people.

Touches: domain and projections. Arrows between its rooms point down this list only:
cli, worker, operations, explain, stages, offline, ledger, audit, devtools, citizens, settings,
wire, kafka, engine, privacy, kit, simulation.
Start with `engine/loop.py` (exactly once), then `stages/`.
"""
