"""A setting, as a row of the table of settings, and the error for one that is missing or wrong."""

from typing import Literal, NamedTuple, TypedDict

from streams.kit.errors import UserError

Origin = Literal["environment", "file", "default", "demo", "not set"]


class SettingsError(UserError):
    """A setting is missing or wrong; the message names it and says what to do."""


class Setting(NamedTuple):
    """A setting, as one row of the table; `default` None means that it has none.

    A secret may be given as `<name>_FILE` too, the name of a file that holds it.
    """

    name: str
    default: str | None
    meaning: str
    secret: bool = False


class ShownSetting(TypedDict):
    """A setting as it is shown: a secret is masked, the value of one that is not set is None."""

    name: str
    value: str | None
    source: Origin
    meaning: str
