"""Reporting checklists, filled in from results."""
