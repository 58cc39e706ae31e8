//! Our tables: made where there are none, refused where they are of somebody else or of another version.

use postgres::{Client, Error};

use super::address::Address;
use super::failure::{is_taken, told};
use crate::store::StoreError;

const SCHEMA: &str = include_str!("schema.sql");
const MAGIC: &str = "reledger shared store";
const VERSION: &str = "2";
const TABLES: [&str; 5] = ["meta", "run", "evidence", "work", "slice"];

/// Sees to it that the tables are there.
pub(super) fn prepare(client: &mut Client, address: &Address) -> Result<(), StoreError> {
    match look(client, address).map_err(|error| told(&address.to_string(), &error))? {
        Found::Ours => return Ok(()),
        Found::Other(why) => return Err(foreign(address, &why)),
        Found::Nothing => {}
    }
    match create(client, &address.schema) {
        Err(error) if !is_taken(&error) => return Err(told(&address.to_string(), &error)),
        Ok(()) | Err(_) => {}
    }
    match look(client, address).map_err(|error| told(&address.to_string(), &error))? {
        Found::Ours => Ok(()),
        Found::Nothing => Err(foreign(address, "its tables can't be seen by this role")),
        Found::Other(why) => Err(foreign(address, &why)),
    }
}

enum Found {
    Nothing,
    Ours,
    Other(String),
}

fn look(client: &mut Client, address: &Address) -> Result<Found, Error> {
    let listed = "SELECT table_name::text FROM information_schema.tables WHERE table_schema::text = $1";
    let rows = client.query(listed, &[&address.schema])?;
    let names: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    if names.is_empty() {
        return Ok(Found::Nothing);
    }
    if let Some(missing) = TABLES.iter().find(|table| !names.iter().any(|name| name == *table)) {
        return Ok(Found::Other(format!("it holds tables and no `{missing}`")));
    }
    let rows = match client.query(&format!("SELECT name, value FROM {}.meta", address.schema), &[]) {
        Ok(rows) => rows,
        Err(error) if error.as_db_error().is_some_and(|it| it.code().code() == "42703") => {
            return Ok(Found::Other("its table `meta` is of another program".to_owned()));
        }
        Err(error) => return Err(error),
    };
    let value = |wanted: &str| rows.iter().find(|row| row.get::<_, &str>(0) == wanted).map(|row| row.get::<_, &str>(1));
    Ok(match (value("magic"), value("version")) {
        (Some(MAGIC), Some(VERSION)) => Found::Ours,
        (Some(MAGIC), Some(other)) => {
            let other: String = other.chars().filter(char::is_ascii_digit).take(9).collect();
            Found::Other(format!("its tables are of version {other}, and this program's of version {VERSION}"))
        }
        _ => Found::Other("its table `meta` is of another program".to_owned()),
    })
}

/// All in one transaction: nobody ever sees half of the tables.
fn create(client: &mut Client, schema: &str) -> Result<(), Error> {
    let mut transaction = client.transaction()?;
    let text: String = SCHEMA.lines().filter(|line| !line.starts_with("--")).flat_map(|line| [line, "\n"]).collect();
    // A schema that stands may belong to somebody who lets us make tables in it, and no schemas.
    let held =
        transaction.query("SELECT 1 FROM information_schema.schemata WHERE schema_name::text = $1", &[&schema])?;
    let text = if held.is_empty() { text } else { text.replace("CREATE SCHEMA IF NOT EXISTS SCHEMA;", "") };
    transaction.batch_execute(
        &text
            .replace("IF NOT EXISTS SCHEMA", &format!("IF NOT EXISTS {schema}"))
            .replace("SCHEMA.", &format!("{schema}.")),
    )?;
    transaction.commit()
}

fn foreign(address: &Address, why: &str) -> StoreError {
    StoreError::Unusable { what: format!("schema `{}` of {address} is not ours: {why}", address.schema) }
}
