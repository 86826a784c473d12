"""BEATs: masked prediction of acoustic tokens, and the tokenizer that is distilled of it."""
