"""When a letter that was not taken is tried again."""

from datetime import timedelta
from random import Random

FIRST = timedelta(seconds=30)
LONGEST = timedelta(hours=1)
MOST_ATTEMPTS = 12  # with these waits over 2.5 to 5 hours: an evening's outage loses nothing


def wait(attempts: int, chance: Random) -> timedelta:
    """How long after try number `attempts` the next one is due: twice as long each time, shortened by chance so that
    letters that failed together are not tried together."""
    whole: timedelta = FIRST * 2 ** (attempts - 1)
    return min(whole, LONGEST) * chance.uniform(0.5, 1.0)
