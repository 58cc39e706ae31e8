-- The tables of a shared store. Only what PostgreSQL and its distributed kin have in common: no sequence, no trigger, no
-- advisory lock, no constraint across shards but the primary keys. `SCHEMA` stands for the name in the store's address.
CREATE SCHEMA IF NOT EXISTS SCHEMA;
CREATE TABLE SCHEMA.meta (name text PRIMARY KEY, value text NOT NULL);
-- One line a run folder: who writes its evidence.
CREATE TABLE SCHEMA.run (run bigint PRIMARY KEY, owner bigint NOT NULL);
-- Evidence in slices, in the order of the folder's log: how many pieces, the Merkle root over their ids, and all of their bytes,
-- compressed. The one large table: spread it by hash of number.
CREATE TABLE SCHEMA.evidence (
  run bigint NOT NULL, number bigint NOT NULL, items bigint NOT NULL, root bytea NOT NULL, bytes bytea NOT NULL,
  PRIMARY KEY (run, number)
);
-- What is to be verified, for whom, and by which program.
CREATE TABLE SCHEMA.work (
  run bigint NOT NULL, work bigint NOT NULL, tool text NOT NULL, build text NOT NULL, keys bytea NOT NULL, done boolean NOT NULL,
  PRIMARY KEY (run, work)
);
-- Slices, leased by attempt: a result is taken from the attempt that holds the lease, and from no other.
CREATE TABLE SCHEMA.slice (
  run bigint NOT NULL, work bigint NOT NULL, number bigint NOT NULL, items bigint NOT NULL,
  attempt bigint NOT NULL, worker text, expires timestamptz, result bytea,
  PRIMARY KEY (run, work, number)
);
INSERT INTO SCHEMA.meta (name, value) VALUES ('magic', 'reledger shared store'), ('version', '2');
