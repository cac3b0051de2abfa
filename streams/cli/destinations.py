"""`refusion destinations`: the file of addresses to which run files are delivered."""

import click

from streams.cli.console import answering, echo_json, load_settings, run_async


@click.command()
@click.option("--confirm", is_flag=True, help="Confirm the file as it is; it needs two persons.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def destinations(confirm: bool, as_json: bool) -> None:
    """Show or confirm the addresses of deliveries.

    They are in the file REFUSION_DESTINATIONS. `deliver` uses that file only as two persons have
    confirmed it: one with --confirm, the other with `refusion approve`. After any change it must be
    confirmed again. Compare each fingerprint with what the municipality has told by another way
    than the address.
    """
    from streams.acts.four_eyes import permission
    from streams.ledger.destinations import read_destinations

    settings = load_settings()
    with answering(as_json):
        read = read_destinations(settings)
        if confirm:
            run_async(permission(settings, read.guarded()))
        confirmed = confirm or run_async(read.are_confirmed(settings))
    listed = [
        {"municipality": code, "to": each.address.name(code), "host_key": each.host_key}
        for code, each in sorted(read.of.items())
    ]
    if as_json:
        echo_json({"sha256": read.sha256, "confirmed": confirmed, "destinations": listed})
        return
    for each in listed:
        click.echo("  ".join(each.values()))
    state = "confirmed" if confirmed else "NOT confirmed (refusion destinations --confirm)"
    click.echo(f"{len(listed)} destinations, SHA-256 {read.sha256}: {state}")
