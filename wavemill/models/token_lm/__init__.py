"""`token-lm`: language models over the codebooks of one token stream, in several layouts."""
