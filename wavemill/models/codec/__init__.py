"""`codec`: training of the causal codec in `wavemill.tokenizers.seanet`."""
