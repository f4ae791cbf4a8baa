"""Diagnoses of runs: faults, subgroups, saliency checks, out-of-distribution images."""
