"""`refusion web`: the site."""

import sys

import click

from streams.cli.console import INPUT, load_settings
from streams.kit.errors import UserError
from streams.kit.stopping import Stopped


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port", type=click.IntRange(1, 65_535), default=8420, show_default=True, help="The port."
)
@click.option("--proxy", metavar="ADDRESS", help="The address of a proxy that is before the site.")
@click.option("--certificate", type=INPUT, help="The certificate, where the site ends TLS itself.")
@click.option("--key", type=INPUT, help="The private key of the certificate.")
def web(host: str, port: int, proxy: str | None, certificate: str | None, key: str | None) -> None:
    """Serve the site with its pages of LIS.

    It ends on Ctrl-C and SIGTERM.
    """
    from streams.web.server import WebPlace, serve

    if (certificate is None) != (key is None):
        raise UserError("--certificate and --key go together; give both or none")
    place = WebPlace(host, port, proxy, certificate, key)
    try:
        serve(load_settings(), place)
    except Stopped:
        sys.exit(0)
