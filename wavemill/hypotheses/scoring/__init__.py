"""How wrong hypotheses are, how right they could be, and what corrections make of them."""
