"""The program `refusion`: the names of its commands, and the form in which errors are shown."""

import sys
from importlib import import_module
from typing import Any, Final, NoReturn

import click

from streams.cli.console import draw_bar, echo_json
from streams.kit.errors import AwaitingApproval, UserError, kind_and_place
from streams.kit.foreign import PASSED_OVER
from streams.kit.private_files import keep_files_private, keep_memory_private
from streams.kit.progress import draw_with
from streams.kit.secrets import kept_from_children
from streams.kit.standard_streams import demand_output, open_closed_streams, write_any_letter
from streams.kit.stopping import Stopped, give_up_output, output_unread, unwind_on_signals
from streams.kit.threads import leave

USER_ERROR: Final = 2
"""The exit status of an error that the user can mend."""
WAITS: Final = 3
"""The exit status of an act that waits for another person's approval."""
DEFECT: Final = 70
"""The exit status of a defect of this program: none of those that the contract gives a meaning."""
WITHOUT_OUTPUT: Final = frozenset({"publish", "web", "worker"})
"""Commands that write nothing to standard output."""

COMMANDS: Final = {
    "acl": "streams.cli.acl:acl",
    "approvals": "streams.cli.approvals:approvals",
    "approve": "streams.cli.approve:approve",
    "audit": "streams.cli.audit:audit",
    "backup": "streams.cli.backup:backup",
    "free-id": "streams.cli.free_id:free_id",
    "compare": "streams.cli.compare:compare",
    "convert": "streams.cli.convert:convert",
    "dead-letters": "streams.cli.dead_letters:dead_letters",
    "deliver": "streams.cli.deliver:deliver",
    "destinations": "streams.cli.destinations:destinations",
    "diff": "streams.cli.diff:diff",
    "explain": "streams.cli.explain:explain",
    "export": "streams.cli.export:export",
    "invoices": "streams.cli.invoices:invoices",
    "keys": "streams.cli.keys:keys",
    "lis": "streams.cli.lis:lis",
    "merge": "streams.cli.merge:merge",
    "opening": "streams.cli.opening:opening",
    "publish": "streams.cli.publish:publish",
    "receipts": "streams.cli.receipts:receipts",
    "rekey": "streams.cli.rekey:rekey",
    "repair": "streams.cli.repair:repair",
    "replay": "streams.cli.replay:replay",
    "restore": "streams.cli.restore:restore",
    "run": "streams.cli.run:run",
    "settings": "streams.cli.settings:settings",
    "settle": "streams.cli.settle:settle",
    "simulate": "streams.cli.simulate:simulate",
    "status": "streams.cli.status:status",
    "verify": "streams.cli.verify:verify",
    "web": "streams.cli.web:web",
    "worker": "streams.cli.worker:worker",
}
"""The commands by name, each as `module:function`.

A module is imported when its command is called.
"""


class _Program(click.Group):
    """The group of commands.

    It shows an error as one line on stderr. That of a defect has its type and place, never its
    text, which may hold a value from a record. At the end it says what records were passed over.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), *COMMANDS])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return super().get_command(ctx, cmd_name)
        module, name = COMMANDS[cmd_name].split(":")
        command: click.Command = getattr(import_module(module), name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command. Raises UserError where it could not say what it did."""
        name, command, rest = super().resolve_command(ctx, args)
        if name not in WITHOUT_OUTPUT:
            demand_output()
        return name, command, rest

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """Read the options of the program itself: `--help` and `--version` are done here."""
        open_closed_streams()
        try:
            return super().make_context(info_name, args, parent, **extra)
        except BrokenPipeError:
            sys.exit(output_unread())
        except OSError as error:
            _fail(error.strerror or str(error))

    def invoke(self, ctx: click.Context) -> Any:
        write_any_letter()
        keep_files_private()
        keep_memory_private()
        unwind_on_signals()
        draw_with(draw_bar)
        PASSED_OVER.forget()
        try:
            from domain.ruledata.ruleset import RuleError

            with kept_from_children():
                return super().invoke(ctx)
        except Stopped as stopped:
            click.echo("refusion: stopped, nothing is left behind", err=True)
            leave(stopped.status)
            sys.exit(stopped.status)
        except BrokenPipeError:
            sys.exit(output_unread())
        except AwaitingApproval as waiting:
            _say_waiting(waiting)
        except (UserError, RuleError) as error:
            _fail(str(error))
        except OSError as error:
            reason = error.strerror or str(error)
            _fail(f"{error.filename}: {reason}" if error.filename else reason)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:  # noqa: BLE001 - a defect, whatever it is
            _fail(
                f"a defect of this program ({kind_and_place(error)}); report it with the command"
                " that met it",
                DEFECT,
            )
        finally:
            if note := PASSED_OVER.note():
                click.echo(f"refusion: {note}", err=True)


def _fail(message: str, status: int = USER_ERROR) -> NoReturn:
    give_up_output()
    click.echo(f"refusion: {message}", err=True)
    sys.exit(status)


def _say_waiting(waiting: AwaitingApproval) -> NoReturn:
    """Print the id of the request alone on standard output, so that a script can take it."""
    if waiting.as_json:
        echo_json({"request": waiting.request, "act": waiting.act})
    else:
        click.echo(waiting.request)
    click.echo(
        f"refusion: {waiting.act} waits for another person, who approves it with"
        f" `refusion approve {waiting.request}`",
        err=True,
    )
    sys.exit(WAITS)


@click.group(
    cls=_Program, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(package_name="ydelsesrefusion", prog_name="refusion")
def main() -> None:
    """Settle public benefits between Denmark's municipalities and the State.

    Reports of benefit payments go in; refusion and medfinansiering come out, with a correction
    whenever late data changes what was posted.
    """
