-- Every resource of every kind. Times are microseconds since 1970, UTC.
-- The cascade from owners to owned is done by kuma-cp, which tells its listeners of each deletion;
-- the foreign key makes sure that it forgot none.
CREATE TABLE kuma_resource (
  kind       text   COLLATE "C" NOT NULL,
  mesh       text   COLLATE "C" NOT NULL,
  name       text   COLLATE "C" NOT NULL,
  version    bigint NOT NULL,
  created    bigint NOT NULL,
  modified   bigint NOT NULL,
  labels     json   NOT NULL,
  spec       json   NOT NULL,
  status     json,
  owner_kind text   COLLATE "C",
  owner_mesh text   COLLATE "C",
  owner_name text   COLLATE "C",
  PRIMARY KEY (kind, mesh, name),
  FOREIGN KEY (owner_kind, owner_mesh, owner_name) REFERENCES kuma_resource (kind, mesh, name)
    DEFERRABLE INITIALLY DEFERRED
);

CREATE INDEX kuma_resource_owner ON kuma_resource (owner_kind, owner_mesh, owner_name)
  WHERE owner_kind IS NOT NULL;

-- The number of the last commit. Whoever commits locks this row until its transaction ends, so that
-- numbers have no gaps and become visible in their order.
CREATE TABLE kuma_position (seq bigint NOT NULL);
INSERT INTO kuma_position VALUES (0);

-- The last commits, for the instances that listen: an array of [key, row or null].
CREATE TABLE kuma_commit (
  seq     bigint PRIMARY KEY,
  changes json NOT NULL
);
