"""Implications of published figures: feasible confusion matrices, bounds of losses and AUCs."""
