"""The schemas as numbered SQL, one folder per database: `0001_resources.sql`, `0002_...`.

A migration that was released is never changed; a change is a new one. The number of the last one
applied is the version of a database.
"""
