"""Trained models in use: predictions, explanations, export."""
