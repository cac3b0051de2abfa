"""`refusion approvals`: the acts that wait for another person."""

import shlex
from typing import Any

import click

from streams.cli.console import echo_json, load_settings, run_async


@click.group()
def approvals() -> None:
    """Look at acts that wait for another person's approval."""


@approvals.command("list")
@click.option("--all", "everything", is_flag=True, help="Those that are decided or stale too.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_(everything: bool, as_json: bool) -> None:
    """List the requests that wait, oldest first; they can be approved for 30 days."""
    from streams.acts import four_eyes

    requests = [
        request
        for request in run_async(four_eyes.requests(load_settings()))
        if everything or request.state in {four_eyes.OPEN, four_eyes.APPROVED}
    ]
    if as_json:
        echo_json([request.as_json() for request in requests])
        return
    for request in requests:
        fields = request.fields
        command = shlex.join(["refusion", *fields["command"]])
        decided = f" by {request.decided_by}" if request.decided_by else ""
        click.echo(f"{request.id}  {fields['at']}  {fields['user']}  {request.state}{decided}")
        click.echo(f"  {command}")
        for name, value in fields["about"].items():
            for line in _lines(name, value):
                click.echo(f"  {line}")
    click.echo(f"{len(requests):,} requests")


def _lines(name: str, value: Any) -> list[str]:
    """Say what a request is about: amounts in kroner, a line each."""
    from domain.basics.kroner import kroner
    from streams.acts.four_eyes import AMOUNTS, MOVED_BY_CAUSE, MOVED_BY_PLACE

    if name in {MOVED_BY_CAUSE, MOVED_BY_PLACE}:
        return [f"{what}: the State pays {kroner(ore)} kr. more" for what, ore in value.items()]
    if name == AMOUNTS:
        return [f"{doubt}: {kroner(ore)} kr." for doubt, ore in value.items()]
    return [f"{name}: {value}"]
