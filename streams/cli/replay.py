"""`refusion replay`: the effect of settling the journal again, and its posting."""

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import click

from streams.cli.console import (
    JOBS,
    answering,
    echo_json,
    load_settings,
    run_async,
    run_with_progress,
    table,
    terminal,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import Console

    from streams.acts.four_eyes import GuardedAct
    from streams.operations.kept_differences import KeptDifference
    from streams.operations.replay import DryRun, ReplayRequest
    from streams.operations.replay_apply import Applied

TOP: Final = 12
"""The number of lines of a table; --json has all."""


@click.command()
@click.option(
    "--rules",
    default="",
    metavar="NAME",
    help="The rule set that becomes valid.  [default: the valid one]",
)
@click.option(
    "--municipality",
    default="",
    metavar="CODE",
    help="Only citizens for whom this municipality paid or whom it finances.",
)
@click.option("--citizen", default="", metavar="PSEUDONYM", help="Only this citizen.")
@click.option(
    "--answer",
    default="",
    metavar="SWITCH=VALUE",
    help="With another answer to an open question, such as UFB=BENEFIT; --dry-run alone.",
)
@click.option(
    "--dry-run/--apply",
    required=True,
    default=None,
    help="Show the difference only, or have it posted too.",
)
@click.option("--yes", is_flag=True, help="Apply without asking.")
@JOBS
@click.option("--json", "as_json", is_flag=True, help="Print JSON; money in øre.")
def replay(
    rules: str,
    municipality: str,
    citizen: str,
    answer: str,
    dry_run: bool,
    yes: bool,
    jobs: int | None,
    as_json: bool,
) -> None:
    """Settle again from the journal, and post what differs.

    There is always a dry run first. It reads the journal and the postings, and writes nothing.
    --apply then writes control records to the journal. The workers carry them out between reports,
    and settle new reports after them. With --rules that rule set is valid for everybody from then
    on; a citizen outside the scope is settled by it at the next report. The sums by municipality
    and cause are kept on this machine, and shown on the site under /koersler.
    """
    from streams.operations.kept_differences import difference_of_replay
    from streams.operations.replay import ReplayRequest
    from streams.operations.replay import dry_run as look
    from streams.operations.replay_partition import ReplayError

    if answer and not dry_run:
        raise ReplayError("--answer is for --dry-run; what is applied is a rule set of a file")
    request = ReplayRequest(rules, _scope(municipality, citizen), jobs or 0, answer)
    preview = run_with_progress(
        "records",
        lambda settings, show: look(
            settings, request, lambda _what, done, total: show(done, total)
        ),
    )
    kept = _kept(difference_of_replay(load_settings(), request, preview))
    applied: Applied | None = None
    if not as_json:
        _show(terminal(), preview)
    if not dry_run and not preview.is_nothing:
        applied = _applied(request, preview, kept, yes=yes, as_json=as_json)
    if as_json:
        echo_json(_as_object(preview, applied, dry_run=dry_run))
    elif applied is not None:
        _show_applied(applied, preview)
    elif not dry_run:
        click.echo("Nothing was written: the postings are right.")


def _applied(
    request: "ReplayRequest",
    preview: "DryRun",
    kept: "KeptDifference | None",
    *,
    yes: bool,
    as_json: bool,
) -> "Applied":
    """Have the difference posted, or ask for it; what comes of it is kept with the difference."""
    from dataclasses import replace

    from streams.acts import four_eyes
    from streams.kit.errors import AwaitingApproval
    from streams.kit.operating_user import operating_user
    from streams.operations.replay_apply import apply, check_workers

    settings, approved = load_settings(), four_eyes.request_in_hand()
    if not (yes or settings.four_eyes or approved):
        click.confirm(_question(preview), abort=True, err=True)
    act_id = ""
    if preview.pending is None:
        check_workers(preview)
        try:
            with answering(as_json):
                act_id = run_async(four_eyes.permission(settings, _guarded(request, preview)))
        except AwaitingApproval as waiting:
            _keep(kept and replace(kept, request=waiting.request))
            raise
    applied = run_with_progress(
        "messages",
        lambda settings, show: apply(
            settings, request, preview, act_id, lambda _what, done, total: show(done, total)
        ),
    )
    told: dict[str, Any] = {**vars(applied), "by": operating_user().user}
    if approved:
        told |= {"asked_by": approved.fields["user"], "reason": approved.fields["reason"]}
    _keep(kept and replace(kept, applied=told, request=approved.id if approved else ""))
    return applied


def _kept(found: "KeptDifference | None") -> "KeptDifference | None":
    """Keep what a dry run has found.

    An approved one takes the place of what was asked for when it is posted, and not before.
    """
    from dataclasses import replace

    from streams.acts.four_eyes import request_in_hand
    from streams.operations.kept_differences import asked_difference

    approved = request_in_hand()
    asked = approved and asked_difference(load_settings().operations_dir, approved.id)
    if asked and found:
        return replace(found, id=asked.id)
    _keep(found)
    return found


def _keep(kept: "KeptDifference | None") -> None:
    """Keep a difference; where that cannot be, the replay goes on, and says so."""
    from streams.kit.errors import UserError
    from streams.operations.kept_differences import keep_difference

    try:
        if kept is not None:
            keep_difference(load_settings().operations_dir, kept)
    except UserError as error:
        click.echo(str(error), err=True)


def _guarded(request: "ReplayRequest", preview: "DryRun") -> "GuardedAct":
    """Return a replay as an act that needs two persons.

    Its rule set is known by its digest. The second person agrees to no larger amounts than were
    asked for, whatever was reported meanwhile.
    """
    from streams.acts import four_eyes
    from streams.acts.acts import Act
    from streams.acts.four_eyes import GuardedAct

    scope = {
        "rules": request.rules,
        "municipality": request.scope.municipality,
        "citizen": request.scope.citizen,
    }
    options = scope | {"jobs": str(request.jobs or "")}
    chosen = [part for name, value in options.items() if value for part in (f"--{name}", value)]
    money = preview.difference.money
    by_place, by_cause = Counter[str](), Counter[str]()
    for place, (refusion, medfinansiering, _) in money.items():
        by_place[place.municipality] += refusion - medfinansiering
        by_cause[place.reason] += refusion - medfinansiering
    return GuardedAct(
        Act(
            "replay --apply", scope | {"rule_set": preview.rules, "rule_set_digest": preview.digest}
        ),
        ["replay", *chosen, "--apply"],
        about={
            "messages": preview.difference.messages,
            "citizens": preview.difference.changed,
            four_eyes.MOVED_BY_CAUSE: dict(sorted(by_cause.items())),
            four_eyes.MOVED_BY_PLACE: dict(sorted(by_place.items())),
        },
        at_most=preview.difference.amounts(),
        goes_on=not request.scope.citizen,
    )


def _scope(municipality: str, citizen: str) -> Any:
    """Return the scope of a replay. An error never repeats a wrong value, which may be a CPR."""
    import re

    from domain.citizen.reports import Scope
    from streams.explain.find import PSEUDONYM
    from streams.operations.replay_partition import ReplayError
    from streams.privacy.cpr import looks_like_cpr

    if municipality and citizen:
        raise ReplayError("--municipality and --citizen are two scopes; give one of them")
    if looks_like_cpr(citizen) or looks_like_cpr(municipality):
        raise ReplayError(
            "a CPR does not belong on a command line;"
            " `refusion explain` asks for it and shows the pseudonym"
        )
    if citizen and not PSEUDONYM.fullmatch(citizen):
        raise ReplayError("--citizen is a pseudonym of 32 digits 0-9a-f, as in postings")
    if municipality and not re.fullmatch("[0-9]{3}", municipality):
        raise ReplayError("--municipality is a code of three digits")
    return Scope(municipality, citizen)


def _question(preview: "DryRun") -> str:
    if preview.pending:
        return "This replay is written already and waits for the workers. Wait for it?"
    messages = f"{preview.difference.messages:,} messages will be posted. Continue?"
    if preview.changes_rules:
        return f"{preview.rules} will be the valid rule set, and {messages}"
    return messages


# --- for programs ------------------------------------------------------------------------------


def _as_object(preview: "DryRun", applied: "Applied | None", *, dry_run: bool) -> dict[str, Any]:
    difference = preview.difference
    return {
        "dry_run": dry_run,
        "rules": preview.rules,
        "rules_holding": preview.holding,
        "reports": preview.reports,
        "not_settled_yet": preview.unsettled,
        "citizens": difference.citizens,
        "citizens_in_scope": difference.in_scope,
        "citizens_changed": difference.changed,
        "messages": difference.messages,
        "money": [
            {
                **place._asdict(),
                "refusion_ore": refusion,
                "medfinansiering_ore": medfinansiering,
                "rows": rows,
            }
            for place, (refusion, medfinansiering, rows) in sorted(difference.money.items())
        ],
        "largest": [change._asdict() for change in difference.largest],
        "seconds": round(preview.seconds, 3),
        "apply_seconds": round(preview.apply_s, 3),
        "workers": preview.workers,
        "pending": preview.pending[0].id if preview.pending else None,
        "applied": applied and vars(applied),
    }


# --- for people --------------------------------------------------------------------------------


def _show(console: "Console", preview: "DryRun") -> None:
    difference = preview.difference
    rules = (
        f"{preview.rules} instead of {preview.holding}" if preview.changes_rules else preview.rules
    )
    console.print(
        f"{preview.reports:,} reports of {difference.citizens:,} citizens were read"
        f" in {preview.seconds:.1f} s, by {rules}: {difference.in_scope:,} citizens in scope,"
        f" {difference.changed:,} with other rows, {difference.messages:,} messages to post."
    )
    if preview.unsettled:
        console.print(f"{preview.unsettled:,} reports are not settled yet and not included.")
    if difference.money:
        _show_money(console, preview)
        console.print("The largest changes:")
        for change in difference.largest:
            console.print(f"  {change.sentence}")
    if not preview.is_nothing:
        plural = "s" if preview.workers != 1 else ""
        workers = f"{preview.workers} worker{plural}" if preview.workers else "one worker"
        console.print(
            f"{workers} will take about {preview.apply_s:.0f} s to apply it;"
            " new reports wait meanwhile."
        )


def _show_money(console: "Console", preview: "DryRun") -> None:
    for position, name in enumerate(("month", "municipality", "benefit", "reason")):
        sums: dict[str, list[int]] = {}
        for place, figures in preview.difference.money.items():
            entry = sums.setdefault(place[position], [0, 0, 0])
            for number, figure in enumerate(figures):
                entry[number] += figure
        _show_sums(console, name, sums)


def _show_sums(console: "Console", name: str, sums: "Mapping[str, Sequence[int]]") -> None:
    from domain.basics.kroner import kroner

    costs = Counter({key: abs(refusion - medfin) for key, (refusion, medfin, _) in sums.items()})
    largest = sorted(key for key, _ in costs.most_common(TOP))
    cut = "" if len(largest) == len(sums) else f": the {TOP} of {len(sums)} with the most"
    shown = table(f"By {name}{cut}", name, "rows", "refusion", "medfinansiering", "cost to State")
    for key in largest:
        refusion, medfin, rows = sums[key]
        money = (f"{kroner(ore)} kr." for ore in (refusion, medfin, refusion - medfin))
        shown.add_row(key, f"{rows:,}", *money)
    console.print(shown)


def _show_applied(applied: "Applied", preview: "DryRun") -> None:
    from domain.basics.kroner import kroner

    click.echo(
        f"Applied in {applied.seconds:.1f} s:"
        f" {applied.messages:,} messages with {applied.rows:,} rows were posted;"
        f" the State pays {kroner(applied.cost_ore)} kr. more."
    )
    if applied.messages != preview.difference.messages:
        click.echo(
            f"The dry run had {preview.difference.messages:,} messages. New reports came in"
            " between, or a worker passed over citizens (its log says so):"
            " use --dry-run to see what is left."
        )
