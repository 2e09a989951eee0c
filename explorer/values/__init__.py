"""The nouns. Frozen values that every verb takes or returns; JSON in, JSON out."""
