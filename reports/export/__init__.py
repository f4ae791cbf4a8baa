"""Texts that `zoo export` writes next to the model."""
