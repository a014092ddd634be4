"""Proofs by breaking: `python -m bench.faults [NAME…]` writes bench/results/faults.json.

Each breaks an operation in one way, lets the next worker go on as it would, and counts what is there against what an
unbroken run gives.
"""
