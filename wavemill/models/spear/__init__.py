"""SPEAR: masked prediction of multi-codebook tokens, of speech and of other audio."""
