"""The job `wavemill hypotheses`."""
