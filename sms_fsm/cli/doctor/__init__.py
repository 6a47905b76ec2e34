"""``doctor``: is everything there that the engine needs, and how is what is wrong mended?

One module for each thing that is looked at, each giving `finding.Finding`s.
"""
