"""What the detector says of a batch."""

from dataclasses import dataclass

PROOF, INVARIANT, DRIFT = "proof", "invariant", "drift"
PASS, WARN, BLOCK = "pass", "warn", "block"
LEAST_BATCHES = 10  # of a feed that were accepted; before, only proofs are looked for


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it was. `column` "" where it concerns the rows. `surprise`: −log10 of how often so much
    comes by chance. `told`: a sentence without any value of a row."""

    channel: str
    column: str
    measure: str
    surprise: float
    told: str


@dataclass(frozen=True)
class Verdict:
    """`score`: finite, more is worse; `limit`: what this feed's own past allows. `columns`: the likeliest culprits
    first. `level`: pass, warn, or block (by
    what is proven of 5 % of the rows, alone). `note`: what the verdict could not look at, "" if nothing."""

    score: float
    flagged: bool
    columns: list[str]
    level: str = PASS
    limit: float = 0.0
    findings: tuple[Finding, ...] = ()
    note: str = ""

    @property
    def sentence(self) -> str:
        told = " ".join(finding.told for finding in self.findings[:3]) if self.flagged else "Like the batches before."
        return f"{told} {self.note}".strip()
