"""Checks of a data set: leakage, near duplicates, batch effects."""
