"""Jinja templates, style and script of the page."""
