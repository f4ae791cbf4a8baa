"""Runs: what is asked for, planned, executed in processes of their own, and kept."""
