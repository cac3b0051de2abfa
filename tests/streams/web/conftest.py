"""Sites over the marts of random lives, and people who look at them."""

import pytest

from tests.support.lis_site import OWN, lis_folder, lis_site
from tests.support.mailbox import open_mailbox
from tests.support.site_client import client_of, visitor


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    return lis_folder(tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="module")
def app(folder):
    return lis_site(folder)


@pytest.fixture(scope="module")
def economy(app):
    return client_of(app, visitor("economy", municipality=OWN))


@pytest.fixture(scope="module")
def auditor(app):
    return client_of(app, visitor("auditor"))


@pytest.fixture(scope="module")
def mail_server():
    with open_mailbox() as mailbox:
        yield mailbox


@pytest.fixture
def mailbox(mail_server):
    """A mail server that has no mail yet."""
    mail_server.clear()
    return mail_server
