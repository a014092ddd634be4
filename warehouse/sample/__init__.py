"""A demo warehouse as delivered files: invented people of two practices, and a slice of real dengue cases.

`write` makes the deliveries of the health extracts; `DENGUE` holds the files of extract DengueCases as they are.
"""

from pathlib import Path

from warehouse.sample.deliveries import Delivery, write

__all__ = ["DENGUE", "Delivery", "write"]

DENGUE = Path(__file__).resolve().parent / "dengue"
