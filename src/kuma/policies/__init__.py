"""One folder for each policy kind and `catalogue.py`, the ordered tuple of all of them.
model.py (the spec), validate.py, shape.py (edits the one protobuf it is handed). They do not know each other.
"""
