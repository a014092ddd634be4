"""What staging must be, made in Python from the files that count: apart from the SQL that is held against it."""

from tests.house import Row

BAD = {"x", "2026-02-30 00:00"}
Values = tuple[str | None, str]  # fee, updated
Rank = tuple[str, str, int, int]  # day, updated, file order, place in the file; of a staging row: 1 if it counts, id


def fold(files: list[tuple[str, int, list[Row]]]) -> dict[str, tuple[Rank, Values]]:
    """visit → the winner, of live (day, file order, rows)."""
    best: dict[str, tuple[Rank, Values]] = {}
    for day, order, rows in files:
        for place, (visit, _seen, fee, _note, updated) in enumerate(rows):
            if not visit.strip() or BAD & {fee, updated}:
                continue
            rank = (day, updated, order, place)
            if visit.strip() not in best or best[visit.strip()][0] < rank:
                best[visit.strip()] = (rank, (f"{float(fee):.2f}" if fee else None, updated))
    return best
