"""What a user or operator can mend."""


class UserError(Exception):
    """Its message says what is wrong, where, and what to do next; it is shown without a stack trace."""


class UnworkableError(UserError):
    """A worker meets what it must not work on, nor would it after a restart: it stops before it processes anything."""
