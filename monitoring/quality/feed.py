"""One feed as the detector knows it: its accepted batches in order, and how each looked when it came."""

import numpy as np

from monitoring.quality import measures
from monitoring.quality.blame import Blame, blame
from monitoring.quality.memory import Memory
from monitoring.quality.profile import Profile
from monitoring.quality.proofs import Proof, proofs
from monitoring.quality.series import Reading, Series, Surprises

WINDOW = 120  # batches whose scores say what is usual
SPREADS = 3.3  # beyond the median, in mean distances of the scores above it
# What scores are like before a feed has its own, and how many batches that counts for.
USUAL_MIDDLE, USUAL_SPREAD, USUAL_BATCHES = 2.6, 1.0, 20.0


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
        middle = float(np.median(past))
        above = 2 * float(np.maximum(past - middle, 0.0).mean())
        own = len(past) / (len(past) + USUAL_BATCHES)
        spread = own * max(above, 0.1) + (1 - own) * USUAL_SPREAD
        middle = own * middle + (1 - own) * USUAL_MIDDLE
        return float(middle + SPREADS * spread)
