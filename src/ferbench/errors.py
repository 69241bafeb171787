"""The one kind of error that a user can mend."""


class UserError(Exception):
    """A mistake in what the user gave: `key=value: what is wrong; what was expected`.

    The command line prints it as one line and exits with status 2; anything else is a bug
    and shows its traceback.
    """
