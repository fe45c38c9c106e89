"""The kinds that are not policies: one module each, with model, rules and declaration.

`catalogue.py` lists them. Policies live in `kuma.policies`.
"""
