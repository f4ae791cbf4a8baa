"""Decision thresholds: rules, the choice on validation, its interval, its transfer to test."""
