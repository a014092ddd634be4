"""One feed as the detector knows it: its accepted batches in order, and how each looked when it came."""

import numpy as np

from monitoring.quality import measures
from monitoring.quality.blame import Blame, blame
from monitoring.quality.memory import Memory
from monitoring.quality.profile import Profile
from monitoring.quality.proofs import Proof, proofs
from monitoring.quality.series import Reading, Series, Surprises

WINDOW = 120  # batches whose scores say what is usual
SPREADS = 2.0  # beyond the median, in distances from the median to the 90 % quantile
# What scores are like before a feed has its own, and how many batches that counts for.
USUAL_MIDDLE, USUAL_SPREAD, USUAL_BATCHES = 2.6, 1.7, 10.0


class Weighed:
    """A batch against the feed's past: nothing of it is part of the past yet."""

    def __init__(self, readings: list[Reading], surprises: Surprises, found: list[Proof]) -> None:
        self.readings, self.surprises, self.proofs = readings, surprises, found
        self.blame: Blame = blame(surprises)


class Feed:
    def __init__(self) -> None:
        self.memory = Memory()
        self.series = Series()
        self.scores: list[float] = []
        self.profiles: list[Profile] = []

    def weigh(self, profile: Profile) -> Weighed:
        readings = measures.readings(profile, self.memory)
        found = proofs(profile, self.memory, batches=len(self.profiles))
        return Weighed(readings, self.series.weigh(readings), found)

    def add(self, profile: Profile) -> None:
        weighed = self.weigh(profile)
        self.scores.append(weighed.blame.score)
        self.series.add(weighed.readings, weighed.surprises)
        self.memory.add(profile)
        self.profiles.append(profile)

    def limit(self) -> float:
        """The score above which a batch is flagged, from the feed's own past scores."""
        past = np.array(self.scores[3:][-WINDOW:])
        if not len(past):
            return USUAL_MIDDLE + SPREADS * USUAL_SPREAD
        middle, high = np.quantile(past, (0.5, 0.9))
        own = len(past) / (len(past) + USUAL_BATCHES)
        middle = own * middle + (1 - own) * USUAL_MIDDLE
        spread = own * max(high - np.median(past), 0.1) + (1 - own) * USUAL_SPREAD
        return float(middle + SPREADS * spread)
