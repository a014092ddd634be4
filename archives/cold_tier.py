"""The cold tier of this installation."""

from django.conf import settings

from warehouse.cold_manifest import Secrets
from warehouse.cold_sealing import Tier
from warehouse.cold_store import Store


def tier() -> Tier:
    """Where RESTAGE_ARCHIVE says, signed with the installation's secret; former secrets verify."""
    return Tier(
        Store(str(settings.ARCHIVE)), Secrets.of(*map(str, (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)))
    )
