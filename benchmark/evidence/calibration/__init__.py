"""Scores as probabilities: calibrators, reliability, net benefit and predictive values."""
