"""The store's backends: memory, sqlite, postgres. Each implements the port in
`resources/store.py`; only `app/` picks one. No rule of the domain lives here.

    commit(writes) -> group_commit (who waits together is written together)
                   -> transaction  (what the writes mean: versions, owners, cascade; pure)
                   -> rows         (the stored form)  -> sqlite | postgres

`leadership.py` decides which instance does the jobs that only one may do.
"""
