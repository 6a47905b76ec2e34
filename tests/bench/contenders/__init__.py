"""Who takes the same texts in, each in a process of its own."""
