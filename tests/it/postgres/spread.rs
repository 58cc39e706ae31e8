//! A second topology, standing for a distributed server: evidence in hash partitions on three servers, reached through
//! `postgres_fdw`. The tables are made by hand, as whoever runs such a server does (docs/scaling.md).

use super::server::{Server, client};

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

/// Three servers, of which the first knows the others.
pub(crate) fn servers() -> Option<[Server; 3]> {
    let servers = [Server::start()?, Server::start()?, Server::start()?];
    let mut first = client(servers[0].port);
    first.batch_execute("CREATE EXTENSION postgres_fdw").unwrap();
    for (number, server) in servers.iter().enumerate().skip(1) {
        let sql = format!(
            "CREATE SERVER s{number} FOREIGN DATA WRAPPER postgres_fdw OPTIONS \
             (host '127.0.0.1', port '{}', dbname 'postgres', batch_size '500', fetch_size '1000'); \
             CREATE USER MAPPING FOR reledger SERVER s{number} OPTIONS (user 'reledger')",
            server.port
        );
        first.batch_execute(&sql).unwrap();
    }
    Some(servers)
}

/// Makes the tables of a schema: evidence on all three, everything else on the first.
pub(crate) fn lay(servers: &[Server; 3], schema: &str) {
    let mut first = client(servers[0].port);
    first.batch_execute(&tables(schema)).unwrap();
    first.batch_execute(&format!("CREATE TABLE {schema}.evidence ({EVIDENCE}) PARTITION BY HASH (number)")).unwrap();
    for (number, server) in servers.iter().enumerate() {
        let shard = format!("CREATE TABLE public.shard_{schema} ({EVIDENCE}, PRIMARY KEY (run, number))");
        let part = format!("FOR VALUES WITH (MODULUS 3, REMAINDER {number})");
        client(server.port).batch_execute(&shard).unwrap();
        let sql = if number == 0 {
            format!("ALTER TABLE {schema}.evidence ATTACH PARTITION public.shard_{schema} {part}")
        } else {
            format!(
                "CREATE FOREIGN TABLE {schema}.evidence_{number} PARTITION OF {schema}.evidence {part} SERVER s{number} \
                 OPTIONS (schema_name 'public', table_name 'shard_{schema}')"
            )
        };
        first.batch_execute(&sql).unwrap();
    }
}

/// How many records each server holds of a schema's evidence.
pub(crate) fn held(servers: &[Server; 3], schema: &str) -> [i64; 3] {
    let sql = format!("SELECT coalesce(sum(items), 0)::bigint FROM public.shard_{schema}");
    servers.each_ref().map(|server| client(server.port).query_one(&sql, &[]).unwrap().get(0))
}
