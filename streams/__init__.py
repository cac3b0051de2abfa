"""Everything that touches the world: validation, state on disk, Kafka, the command line."""
