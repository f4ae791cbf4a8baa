"""Reporting checklists as data: the items of each guideline in own words, and what answers them."""
