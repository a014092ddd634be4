"""Is a batch like the ones before? Proofs, broken invariants and drift, on a limit that the feed's own past sets."""

import threading
import weakref
from collections import OrderedDict
from collections.abc import Sequence

import numpy as np
import pandas as pd

from monitoring.quality import content, profiling, words
from monitoring.quality.feed import Feed, Weighed
from monitoring.quality.profile import Profile
from monitoring.quality.verdict import BLOCK, DRIFT, INVARIANT, LEAST_BATCHES, PASS, PROOF, WARN, Finding, Verdict

FEEDS_KEPT = 8
PROVEN = 3.0  # a proof adds to the score
LEAST_BLOCKING = 0.05  # of the rows: what fewer prove is told, and blocks nothing
MOST_FINDINGS = 8

Batch = pd.DataFrame | Profile


class Detector:
    """Judges one batch after another. What it has learned of a history is kept for the next step of the same feed.

    A frame of the history is read once, and so are its copies. It must not be changed in place between two steps; a
    batch is read anew each time.
    """

    def fit_step(self, history: Sequence[Batch], batch: Batch) -> Verdict:
        """`history`: the accepted batches, oldest first, as frames or profiles. Raises TypeError on anything else."""
        with _lock, np.errstate(all="ignore"):
            profiles = [_profile(one) for one in history]
            feed = _feed(profiles)
            current = batch if isinstance(batch, Profile) else _remember(batch)
            return judge(feed, current)


def judge(feed: Feed, profile: Profile) -> Verdict:
    weighed = feed.weigh(profile)
    few = len(feed.profiles) < LEAST_BATCHES
    limit = feed.limit()
    score = weighed.blame.score + (PROVEN if weighed.proofs else 0.0)
    drifted = weighed.blame.score > limit and not few
    flagged = bool(weighed.proofs) or drifted
    return Verdict(
        score=float(np.nan_to_num(score, nan=0.0, posinf=1e6, neginf=0.0)),
        flagged=flagged,
        columns=_culprits(weighed),
        level=_level(weighed, flagged=flagged),
        limit=limit,
        findings=_findings(feed, weighed, drifted=drifted),
        note=_note(len(feed.profiles)),
    )


def _level(weighed: Weighed, *, flagged: bool) -> str:
    if any(proof.size >= LEAST_BLOCKING for proof in weighed.proofs):
        return BLOCK
    return WARN if flagged else PASS


def _culprits(weighed: Weighed) -> list[str]:
    """What is proven first among equals: a column's weight, and what its proofs add."""
    weights = {name: weight for name, weight in weighed.blame.columns if name}
    for proof in weighed.proofs:
        if proof.column:
            weights[proof.column] = weights.get(proof.column, 0.0) + PROVEN
    return sorted(weights, key=lambda name: -weights[name])


def _findings(feed: Feed, weighed: Weighed, *, drifted: bool) -> tuple[Finding, ...]:
    found = [Finding(PROOF, proof.column, proof.measure, 12.0, proof.told) for proof in weighed.proofs]
    said = {(finding.column, finding.measure) for finding in found}
    if drifted:
        surprises = weighed.surprises
        for name, _ in weighed.blame.columns[:4]:
            for at in weighed.blame.worst[name][:2]:
                reading = surprises.readings[at]
                if (reading.column, reading.measure) in said or surprises.surprise[at] < 1.0:
                    continue
                said.add((reading.column, reading.measure))
                sentence = words.told(reading, float(surprises.expected[at]), float(surprises.off[at]))
                channel = INVARIANT if feed.series.is_still(reading) else DRIFT
                found.append(Finding(channel, name, reading.measure, float(surprises.surprise[at]), sentence))
    return tuple(found[:MOST_FINDINGS])


def _note(batches: int) -> str:
    if not batches:
        return "The first batch of its feed: there is nothing to compare it with."
    if batches < LEAST_BATCHES:
        counted = "1 accepted batch" if batches == 1 else f"{batches} accepted batches"
        return f"Only proofs were looked for: {counted} so far, {LEAST_BATCHES} are needed to know what is usual."
    return ""


_lock = threading.RLock()
_profiles: dict[int, tuple["weakref.ref[pd.DataFrame]", tuple[int, int], Profile]] = {}
_contents: "weakref.WeakValueDictionary[bytes, Profile]" = weakref.WeakValueDictionary()
_feeds: "OrderedDict[int, Feed]" = OrderedDict()


def _profile(batch: Batch) -> Profile:
    if isinstance(batch, Profile):
        return batch
    if not isinstance(batch, pd.DataFrame):
        raise TypeError(f"A batch is a data frame or a profile, not {type(batch).__name__}.")
    kept = _profiles.get(id(batch))
    if kept is not None and kept[0]() is batch and kept[1] == batch.shape:
        return kept[2]
    held = content.digest(batch)
    known = _contents.get(held)
    if known is None:
        known = _contents[held] = profiling.profile(batch)
    return _keep(batch, known)


def _remember(frame: pd.DataFrame) -> Profile:
    if not isinstance(frame, pd.DataFrame):
        raise TypeError(f"A batch is a data frame or a profile, not {type(frame).__name__}.")
    return _keep(frame, profiling.profile(frame))


def _keep(frame: pd.DataFrame, made: Profile) -> Profile:
    key = id(frame)
    _profiles[key] = (weakref.ref(frame, lambda _: _profiles.pop(key, None)), frame.shape, made)
    return made


def _feed(profiles: list[Profile]) -> Feed:
    """The feed of exactly this history: one that is known grows by what is new, else it is learned from the start."""
    if not profiles:
        return Feed()
    key = id(profiles[0])
    feed = _feeds.pop(key, None)
    if feed is None or not _begins(profiles, feed.profiles):
        feed = Feed()
    for profile in profiles[len(feed.profiles) :]:
        feed.add(profile)
    _feeds[key] = feed
    while len(_feeds) > FEEDS_KEPT:
        _feeds.popitem(last=False)
    return feed


def _begins(profiles: list[Profile], known: list[Profile]) -> bool:
    return len(known) <= len(profiles) and all(one is other for one, other in zip(known, profiles, strict=False))
