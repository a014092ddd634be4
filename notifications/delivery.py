"""What a try to deliver can come to."""

from warehouse.errors import TellableError


class UndeliveredError(TellableError):
    """The letter was not taken. The message holds no part of an address. `permanent`: trying again cannot help."""

    def __init__(self, told: str, *, permanent: bool = False) -> None:
        super().__init__(told)
        self.permanent = permanent
