"""One family of models a file; each registers its builder."""
