"""Decisions among three or more classes: rules, choice on validation, application to scores."""
