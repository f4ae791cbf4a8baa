"""Comparison of cards with each other and with published figures."""
