"""The errors that a user or operator can mend."""


class UserError(Exception):
    """An error that a user can mend.

    Its message says what is wrong, where, and what to do next; it is shown without a stack trace.
    """


class UnworkableError(UserError):
    """A worker must not go on, also not after a restart: it stops before it processes anything."""
