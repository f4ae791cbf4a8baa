"""Renders results as markdown."""
