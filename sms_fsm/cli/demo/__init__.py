"""``demo``: the whole journey on SQLite against the built-in simulator, each promise checked.

`story` tells what happens, `scenes_…` how, `stage` is where, `guarantees` what held in the end.
"""
