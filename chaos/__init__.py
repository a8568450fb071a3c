"""Faults on a seeded schedule against the whole product, and whether anything was lost or came twice.

`scripts/chaos --seed 1 --kills 20` starts ingest, detect and a council worker as processes of their own, feeds them, strikes at
named moments (chaos/kinds.py), lets them recover, and compares every table with an undisturbed run's on the same input.
"""
