"""Correctors: from several hypotheses to one text."""
