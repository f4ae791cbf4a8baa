"""Renders a report as one HTML page."""
