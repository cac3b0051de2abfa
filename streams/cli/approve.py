"""`refusion approve`: another person's request, approved and carried out, or refused."""

import click

from streams.cli.console import echo_json, load_settings, run_async


@click.command()
@click.argument("request", metavar="ID")
@click.option("--refuse", is_flag=True, help="Refuse the request, or withdraw your own.")
@click.option("--reason", default="", metavar="TEXT", help="Why it is refused.")
@click.option("--json", "as_json", is_flag=True, help="Print what the act prints, as JSON.")
@click.pass_context
def approve(context: click.Context, request: str, refuse: bool, reason: str, as_json: bool) -> None:
    """Approve what another person asked for, and carry it out.

    ID is that of a request, as `refusion approvals list` shows it. What is carried out is what was
    asked: the same command, with files of the same content; its exit status is that of the act. You
    and who asked must be two persons in the file REFUSION_PERSONS.
    """
    from streams.acts import four_eyes
    from streams.acts.acts import checked_reason
    from streams.kit.errors import UserError
    from streams.operations.kept_differences import forget_request

    settings = load_settings()
    if refuse:
        if not reason:
            raise UserError("--refuse needs a --reason, which is recorded")
        checked_reason("--reason", reason)
        refused = run_async(four_eyes.refuse(settings, request, reason))
        forget_request(settings.operations_dir, refused.id)
        if as_json:
            echo_json({"id": refused.id, "state": "refused"})
        else:
            click.echo(f"refused: {_sentence(refused.fields['command'])}")
        return
    if reason:
        raise UserError("--reason belongs to --refuse; an approval carries out what was asked")
    approved = run_async(four_eyes.approve(settings, request))
    command = [*approved.fields["command"], *(["--json"] if as_json else [])]
    click.echo(f"approved: {_sentence(command)}", err=True)
    with four_eyes.carried_out(approved):
        context.find_root().command.main(command, prog_name="refusion", standalone_mode=False)


def _sentence(command: list[str]) -> str:
    import shlex

    return shlex.join(["refusion", *command])
