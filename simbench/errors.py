"""What the user did wrong, in one line."""


class SimbenchError(Exception):
    """A mistake of the user's or a limit of the host: one line that says what to do next; the command exits with 2."""
