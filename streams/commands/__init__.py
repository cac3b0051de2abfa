"""Commands of `refusion`, each in a module of its own; `streams.cli.COMMANDS` names them."""
