//! A second topology, standing for a distributed server: evidence in hash partitions on three servers, reached through
//! `postgres_fdw`. The tables are made by hand, as whoever runs such a server does (docs/scaling.md).

use std::process::Child;

use tempfile::tempdir;

use super::runs::{Gate, captured, command, reference, reported, stopped, worker, world};
use super::server::{Server, client, url};
use crate::support::{code, shown};

const EVIDENCE: &str =
    "run bigint NOT NULL, number bigint NOT NULL, items bigint NOT NULL, root bytea NOT NULL, bytes bytea NOT NULL";

/// The statements of the project's own, without the table that is spread.
fn tables(schema: &str) -> String {
    let text = include_str!("../../../src/store/postgres/schema.sql");
    let text: String = text.lines().filter(|line| !line.starts_with("--")).flat_map(|line| [line, "\n"]).collect();
    let (before, rest) = text.split_once("CREATE TABLE SCHEMA.evidence").unwrap();
    let (_, after) = rest.split_once(");").unwrap();
    format!("{before}{after}")
        .replace("SCHEMA.", &format!("{schema}."))
        .replace("EXISTS SCHEMA", &format!("EXISTS {schema}"))
}

/// Three servers; the first also holds everything that is not spread.
fn topology(schema: &str) -> Option<[Server; 3]> {
    let servers = [Server::start()?, Server::start()?, Server::start()?];
    let mut first = client(servers[0].port);
    first.batch_execute(&tables(schema)).unwrap();
    let spread = format!("CREATE TABLE {schema}.evidence ({EVIDENCE}) PARTITION BY HASH (number)");
    first.batch_execute(&format!("CREATE EXTENSION postgres_fdw; {spread}")).unwrap();
    for (number, server) in servers.iter().enumerate() {
        let shard = format!("CREATE TABLE public.shard_{schema} ({EVIDENCE}, PRIMARY KEY (run, number))");
        let part = format!("FOR VALUES WITH (MODULUS 3, REMAINDER {number})");
        client(server.port).batch_execute(&shard).unwrap();
        let sql = if number == 0 {
            format!("ALTER TABLE {schema}.evidence ATTACH PARTITION public.shard_{schema} {part}")
        } else {
            format!(
                "CREATE SERVER s{number} FOREIGN DATA WRAPPER postgres_fdw OPTIONS \
                 (host '127.0.0.1', port '{}', dbname 'postgres', batch_size '500', fetch_size '1000'); \
                 CREATE USER MAPPING FOR reledger SERVER s{number} OPTIONS (user 'reledger'); \
                 CREATE FOREIGN TABLE {schema}.evidence_{number} PARTITION OF {schema}.evidence {part} SERVER s{number} \
                 OPTIONS (schema_name 'public', table_name 'shard_{schema}')",
                server.port
            )
        };
        first.batch_execute(&sql).unwrap();
    }
    Some(servers)
}

#[test]
fn evidence_spread_over_three_servers_gives_the_same_report_with_one_two_and_four_workers() {
    let Some(servers) = topology("spread") else { return };
    let (port, store) = (servers[0].port, url(servers[0].port, "spread"));
    let folder = tempdir().unwrap();
    for workers in [1, 2, 4] {
        let run = folder.path().join(format!("by{workers}"));
        captured(world(), &store, &run);
        let mut gate = Gate::of_workers(port, &store, workers);
        let started: Vec<Child> = (0..workers).map(|_| worker(&store, &[])).collect();
        command("rebuild", world(), &store, &run).output().unwrap();
        for child in started {
            let output = stopped(child);
            assert_eq!(code(&output), 130, "{}", shown(&output));
        }
        assert!(reported(&run) == reference(), "{workers} workers");
        gate.lift();
    }
    let held = servers.each_ref().map(|server| {
        client(server.port)
            .query_one("SELECT coalesce(sum(items), 0)::bigint FROM public.shard_spread", &[])
            .unwrap()
            .get::<_, i64>(0)
    });
    assert!(held.iter().all(|held| *held > 10), "each has its share: {held:?}");
}
