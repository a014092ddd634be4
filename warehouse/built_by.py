"""By what staging rows of an extract are made: equal digests make equal rows of equal records."""

import hashlib

from warehouse.change import whole_fold
from warehouse.registry import Extract


def digest(extract: Extract) -> str:
    """SHA-256 over the extract's declaration and the statement that transforms and folds its records."""
    return hashlib.sha256(f"{extract.digest} {whole_fold(extract).as_string(None)}".encode()).hexdigest()
