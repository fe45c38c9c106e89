-- Every resource of every kind. Times are microseconds since 1970, UTC.
-- The cascade from owners to owned is done by kuma-cp, which tells its listeners of each deletion;
-- the foreign key makes sure that it forgot none.
CREATE TABLE resource (
  kind       TEXT    NOT NULL,
  mesh       TEXT    NOT NULL,
  name       TEXT    NOT NULL,
  version    INTEGER NOT NULL,
  created    INTEGER NOT NULL,
  modified   INTEGER NOT NULL,
  labels     TEXT    NOT NULL,
  spec       TEXT    NOT NULL,
  status     TEXT,
  owner_kind TEXT,
  owner_mesh TEXT,
  owner_name TEXT,
  PRIMARY KEY (kind, mesh, name),
  FOREIGN KEY (owner_kind, owner_mesh, owner_name) REFERENCES resource (kind, mesh, name)
    DEFERRABLE INITIALLY DEFERRED
) STRICT, WITHOUT ROWID;

CREATE INDEX resource_owner ON resource (owner_kind, owner_mesh, owner_name)
  WHERE owner_kind IS NOT NULL;
