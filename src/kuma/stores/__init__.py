"""The store's backends: memory, sqlite, postgres. Each implements the port in
`resources/store.py`; only `app/` picks one. No rule of the domain lives here.
"""
