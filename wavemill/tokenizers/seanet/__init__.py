"""A causal convolutional codec, to train and to run: SEANet with interchangeable quantizers."""
