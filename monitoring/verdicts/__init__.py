"""Verdicts on the quality of delivered files: made by the clock, answered by people, acted upon by rules and waves."""
