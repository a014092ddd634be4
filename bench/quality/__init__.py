"""Replays real dated data in time order, clean and corrupted, through the detector and its rivals."""
