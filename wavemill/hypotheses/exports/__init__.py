"""Hypotheses in the forms of others."""
