"""Choose among hypotheses by a language model, too."""
