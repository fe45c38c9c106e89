"""One folder for each policy kind: model.py (the spec), validate.py, placement.py (where the merged
conf rides in a plan), shape.py (edits the one protobuf it is handed). They do not know each other.
Three ordered tuples see all of them: `catalogue.py` (kinds), `placements.py`, `shapers.py`.
"""
