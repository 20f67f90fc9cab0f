"""Where state lives: the one store, the servers that may be it, and what is kept there for others."""
