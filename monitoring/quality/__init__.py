"""Judges a delivery by its own history: profiles, and a detector in three channels. Needs no database."""
