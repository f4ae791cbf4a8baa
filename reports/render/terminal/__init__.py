"""Renders results for a terminal, with rich."""
