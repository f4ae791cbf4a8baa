"""Plans: what a comparison with published claims can find out, before anything is trained."""
