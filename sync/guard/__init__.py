"""The guard (rule 8): what is not plausible is held, and waits for a person."""
