"""Counts and sizes as people read them."""


def word(number: int, one: str, more: str = "") -> str:
    """`one` of a single thing, else `more` ("": `one` with an s)."""
    return one if number == 1 else more or f"{one}s"


def things(number: int, one: str, more: str = "") -> str:
    """ "1 set", "1,204 sets"; the words as word() takes them."""
    return f"{number:,} {word(number, one, more)}"


def megabytes(size: int) -> str:
    """A size in bytes: "0.3 kB", "1,204.0 MB", "12.1 GB"."""
    if size >= 1e10:
        return f"{size / 1e9:,.1f} GB"
    return f"{size / 1e6:,.1f} MB" if size >= 1e5 else f"{size / 1e3:,.1f} kB"
