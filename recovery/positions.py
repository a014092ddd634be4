"""Positions in the write-ahead log (LSN) and the files, called segments, in which it is kept."""

SEGMENT_BYTES = 16 * 1024 * 1024


def number(lsn: str) -> int:
    """`0/16B3748` as a number."""
    high, low = lsn.split("/")
    return (int(high, 16) << 32) + int(low, 16)


def segment(lsn: int, timeline: int, size: int = SEGMENT_BYTES) -> str:
    """The name of the segment that holds the byte at `lsn`."""
    number_of, per_id = lsn // size, 0x100000000 // size
    return f"{timeline:08X}{number_of // per_id:08X}{number_of % per_id:08X}"


def start(name: str, size: int = SEGMENT_BYTES) -> int:
    """The first position of a segment."""
    return (int(name[8:16], 16) * (0x100000000 // size) + int(name[16:24], 16)) * size


def after(name: str, size: int = SEGMENT_BYTES) -> str:
    """The segment that follows."""
    return segment(start(name, size) + size, int(name[:8], 16), size)


def is_segment(name: str) -> bool:
    return len(name) == 24 and all(letter in "0123456789ABCDEF" for letter in name)
