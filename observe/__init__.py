"""Calls of language models watched: traces taken in, scored, priced, sampled, reported and alerted on."""
