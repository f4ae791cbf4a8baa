"""Scores as probabilities: calibrators, reliability, utility."""
