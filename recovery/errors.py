"""What can stand in the way of a recovery, in words that may be told to people: none holds a value of a row."""


class CannotRecoverError(Exception):
    """The wanted moment cannot be recovered; the message says why, what it means and what to do."""


class CannotBackUpError(Exception):
    """No base backup was registered; the message says why. Those that were there still are."""


class ThrowawayLostError(Exception):
    """The throw-away server ended while it was used. Trying again as a whole may succeed."""
