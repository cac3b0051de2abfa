"""`refusion publish`: reports into Kafka."""

from contextlib import ExitStack

import click

from streams.cli.console import INPUT, echo_json, load_settings, run_with_progress


@click.command()
@click.argument("files", nargs=-1, type=INPUT)
@click.option(
    "--source",
    default="",
    metavar="SOURCE",
    help="Publish to the raw topic of this source of the register, reports.raw.SOURCE.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the closing summary as JSON.")
def publish(files: tuple[str, ...], source: str, as_json: bool) -> None:
    """Send reports to the topic reports.raw.

    The command succeeds only if Kafka acknowledges all of them. Nothing is validated here.
    Without FILES, or for a file named -, standard input is read. A file may be packed with gzip.
    The topic is created if it is missing. The closing summary goes to stderr.
    """
    from streams.citizens.register_file import check_publisher
    from streams.offline.inputs import Reader, checked, opened
    from streams.operations.publish import publish as publish_lines

    check_publisher(load_settings(), source)
    with ExitStack() as stack:
        reader = Reader([opened(stack, name) for name in files or ("-",)], checked)
        published = run_with_progress(
            "records",
            lambda settings, show: publish_lines(
                reader, settings, lambda records: show(records, reader.estimated()), source
            ),
        )
    if as_json:
        echo_json(published._asdict(), err=True)
    else:
        click.echo(published.sentence(), err=True)
