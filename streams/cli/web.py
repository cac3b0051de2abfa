"""`refusion web`: the site."""

import sys

import click

from streams.cli.console import load_settings
from streams.kit.stopping import Stopped


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port", type=click.IntRange(1, 65_535), default=8420, show_default=True, help="The port."
)
def web(host: str, port: int) -> None:
    """Serve the site: public pages, and with a log-on those of LIS.

    It ends on Ctrl-C and SIGTERM.
    """
    from streams.web.server import WebPlace, serve

    settings = load_settings()
    try:
        serve(settings, WebPlace(host, port))
    except Stopped:
        sys.exit(0)
