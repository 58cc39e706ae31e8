-- The tables of a shared store. Only what PostgreSQL and its distributed kin have in common: no sequence, no trigger, no
-- advisory lock, no constraint across shards but the primary keys. `SCHEMA` stands for the name in the store's address.
CREATE SCHEMA IF NOT EXISTS SCHEMA;
CREATE TABLE SCHEMA.meta (name text PRIMARY KEY, value text NOT NULL);
-- One line a run folder: who writes, and how much of the folder's log the tables cover.
CREATE TABLE SCHEMA.run (run bigint PRIMARY KEY, owner bigint NOT NULL, mark bytea);
-- Evidence by content address, and where it stands in the folder's log. The two large tables: spread these by hash of id.
CREATE TABLE SCHEMA.evidence (
  run bigint NOT NULL, id bytea NOT NULL, place bytea NOT NULL, media text NOT NULL, about bytea NOT NULL, bytes bytea NOT NULL,
  PRIMARY KEY (run, id)
);
-- Where the side record of a key stands in the folder's log.
CREATE TABLE SCHEMA.side (run bigint NOT NULL, id bytea NOT NULL, place bytea NOT NULL, PRIMARY KEY (run, id));
-- What is to be verified, for whom, and by which program.
CREATE TABLE SCHEMA.work (
  run bigint NOT NULL, work bigint NOT NULL, tool text NOT NULL, build text NOT NULL, keys bytea NOT NULL, done boolean NOT NULL,
  PRIMARY KEY (run, work)
);
-- Ranges of ids, leased by attempt: a result is taken from the attempt that holds the lease, and from no other.
CREATE TABLE SCHEMA.slice (
  run bigint NOT NULL, work bigint NOT NULL, number bigint NOT NULL, first bytea NOT NULL, last bytea NOT NULL,
  items bigint NOT NULL, attempt bigint NOT NULL, worker text, expires timestamptz, result bytea,
  PRIMARY KEY (run, work, number)
);
INSERT INTO SCHEMA.meta (name, value) VALUES ('magic', 'reledger shared store'), ('version', '1');
