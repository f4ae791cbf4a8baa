"""External validations of stored models."""
