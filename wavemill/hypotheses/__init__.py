"""Hypotheses of recognizers, and what corrects them."""
