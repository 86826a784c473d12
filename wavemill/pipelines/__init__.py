"""Beam jobs: thin shells over plain functions, and the engines they run on."""
