"""How fast the engine is, beside what the same machine can do at best: ``make bench``."""
