"""Paired differences, multiplicity, verdicts."""
