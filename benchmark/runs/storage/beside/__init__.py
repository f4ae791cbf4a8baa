"""Small files beside the runs of a store."""
