"""`refusion acl`: the rights that each role needs at the brokers."""

import click

from streams.cli.console import echo_json, load_settings

NO_BROKERS = "HOST:PORT"
"""The address in the command lines where none is set."""


@click.command()
@click.option("--role", help="This role alone.  [default: all]")
@click.option(
    "--source", metavar="NAME", help="An upstream system with a topic of its own, by its source."
)
@click.option("--principal", help="The principal.  [default: User:<role>]")
@click.option("--json", "as_json", is_flag=True, help="Print the rights as JSON.")
def acl(role: str | None, source: str | None, principal: str | None, as_json: bool) -> None:
    """Print the rights that each role needs at the brokers.

    They are printed as commands of Kafka's own tool too; in these FILE is the tool's file with the
    log-on of an administrator. A right that is not listed is not needed. Give each role a principal
    of its own. Nothing is asked of the brokers.
    """
    from streams.kafka.rights import ROLES, rights_of
    from streams.kit.errors import UserError
    from streams.settings import BOOTSTRAP

    if role is not None and role not in ROLES:
        raise UserError(f"there is no role {role}; the roles are {', '.join(ROLES)}")
    if source is not None and role != "upstream":
        raise UserError("--source is for --role upstream")
    settings = load_settings()
    bootstrap = settings.values[BOOTSTRAP.name][0] or NO_BROKERS
    chosen = {
        name: (principal or f"User:{name}", rights_of(name, settings, source))
        for name in ([role] if role else ROLES)
    }
    if as_json:
        rows = (
            {"role": name, "principal": who, **right.as_json()}
            for name, (who, rights) in chosen.items()
            for right in rights
        )
        echo_json(list(rows), indent=True)
        return
    for name, (who, rights) in chosen.items():
        click.echo(f"{name} ({who})")
        for right in rights:
            click.echo(f"  {right.sentence()}")
        for right in rights:
            click.echo(right.command(bootstrap, who))
        click.echo()
