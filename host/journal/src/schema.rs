//! Tables and how they come to be: one numbered, frozen file of SQL per step.

use crate::open::OpenError;
use rusqlite::Connection;
use std::path::Path;

/// `PNTM`: tells our files from other SQLite files.
const APPLICATION_ID: i32 = 0x504E_544D;

/// Never changed once released; the checksum of each is kept in the file and compared at every start.
const MIGRATIONS: &[Migration] = &[
    Migration {
        name: "first",
        sql: include_str!("migrations/0001-first.sql"),
    },
    Migration {
        name: "recordings",
        sql: include_str!("migrations/0002-recordings.sql"),
    },
    Migration {
        name: "policy-swaps",
        sql: include_str!("migrations/0003-policy-swaps.sql"),
    },
    Migration {
        name: "codes-once",
        sql: include_str!("migrations/0004-codes-once.sql"),
    },
    Migration {
        name: "settings-history",
        sql: include_str!("migrations/0005-settings-history.sql"),
    },
    Migration {
        name: "campaigns",
        sql: include_str!("migrations/0006-campaigns.sql"),
    },
];

struct Migration {
    name: &'static str,
    sql: &'static str,
}

/// The schema this version writes.
pub(crate) const SCHEMA_VERSION: u32 = MIGRATIONS.len() as u32;

/// Whose file this is, found out without changing it.
pub(crate) fn check_ownership(connection: &Connection, path: &Path) -> Result<u32, OpenError> {
    let foreign = |what: &str| OpenError::NotPointsman {
        path: path.into(),
        what: what.into(),
    };
    let application_id: i32 = match connection.query_row("PRAGMA application_id", [], |row| row.get(0)) {
        Ok(id) => id,
        Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::NotADatabase) => {
            return Err(foreign("is not an SQLite database"));
        }
        Err(source) => {
            return Err(OpenError::Sqlite {
                path: path.into(),
                step: "read the header",
                source,
            });
        }
    };
    let sqlite = |source| OpenError::Sqlite {
        path: path.into(),
        step: "read the header",
        source,
    };
    let version: u32 = connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(sqlite)?;
    if application_id == APPLICATION_ID {
        if version > SCHEMA_VERSION {
            return Err(OpenError::NewerSchema {
                path: path.into(),
                found: version,
                known: SCHEMA_VERSION,
            });
        }
        return Ok(version);
    }
    let tables: u32 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(sqlite)?;
    if application_id != 0 || version != 0 || tables != 0 {
        return Err(foreign("is an SQLite database of another program"));
    }
    Ok(0)
}

/// Brings the file from `version` to [`SCHEMA_VERSION`], each step in one transaction: old or new, never between.
pub(crate) fn migrate(connection: &mut Connection, path: &Path, version: u32) -> Result<(), OpenError> {
    apply(MIGRATIONS, connection, path, version)
}

fn apply(migrations: &[Migration], connection: &mut Connection, path: &Path, version: u32) -> Result<(), OpenError> {
    let sqlite = |source| OpenError::Sqlite {
        path: path.into(),
        step: "bring the schema up to date",
        source,
    };
    for (number, migration) in (1..).zip(migrations) {
        let checksum = blake3::hash(migration.sql.as_bytes()).to_hex();
        if number <= version {
            let applied: String = connection
                .query_row("SELECT checksum FROM migrations WHERE version = ?1", [number], |row| row.get(0))
                .map_err(|source| OpenError::Sqlite {
                    path: path.into(),
                    step: "read which migrations were applied",
                    source,
                })?;
            if applied != checksum.as_str() {
                return Err(OpenError::ForeignMigration {
                    path: path.into(),
                    number,
                    name: migration.name,
                });
            }
            continue;
        }
        let transaction = connection.transaction().map_err(sqlite)?;
        if number == 1 {
            transaction
                .execute_batch("CREATE TABLE migrations (version INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL) STRICT")
                .map_err(sqlite)?;
            transaction.pragma_update(None, "application_id", APPLICATION_ID).map_err(sqlite)?;
        }
        transaction.execute_batch(migration.sql).map_err(sqlite)?;
        transaction
            .execute(
                "INSERT INTO migrations VALUES (?1, ?2, ?3)",
                (number, migration.name, checksum.as_str()),
            )
            .map_err(sqlite)?;
        transaction.pragma_update(None, "user_version", number).map_err(sqlite)?;
        transaction.commit().map_err(sqlite)?;
    }
    Ok(())
}

/// The tables alone, for a place to fold views into.
pub(crate) fn create_tables(connection: &Connection) -> rusqlite::Result<()> {
    MIGRATIONS.iter().try_for_each(|migration| connection.execute_batch(migration.sql))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_the_first_schema_keeps_its_rows() {
        let path = Path::new("journal.db");
        let mut connection = Connection::open_in_memory().expect("opened");
        apply(&MIGRATIONS[..1], &mut connection, path, 0).expect("made");
        assert_eq!(check_ownership(&connection, path).expect("ours"), 1);
        connection
            .execute("INSERT INTO contexts VALUES (7, x'0102')", [])
            .expect("inserted");

        migrate(&mut connection, path, 1).expect("brought up to date");
        assert_eq!(check_ownership(&connection, path).expect("ours"), SCHEMA_VERSION);
        let row = connection.query_row("SELECT decision, context, scores FROM recordings", [], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?, row.get::<_, Option<Vec<u8>>>(2)?))
        });
        assert_eq!(row.expect("the row"), (7, vec![1, 2], None));
        migrate(&mut connection, path, SCHEMA_VERSION).expect("nothing is left to do");
    }

    #[test]
    fn code_that_many_versions_share_is_kept_once_and_found_under_each() {
        let path = Path::new("journal.db");
        let mut connection = Connection::open_in_memory().expect("opened");
        apply(&MIGRATIONS[..3], &mut connection, path, 0).expect("made");
        for (digest, checksum, code) in [("a1", "01", "c0de"), ("a2", "01", "c0de"), ("a3", "02", "07e2")] {
            connection
                .execute_batch(&format!(
                    "INSERT INTO policy_codes VALUES (x'{digest}', 5, x'{checksum}', x'{code}')"
                ))
                .expect("inserted");
        }

        migrate(&mut connection, path, 3).expect("brought up to date");
        let codes: u32 = connection
            .query_row("SELECT count(*) FROM codes", [], |row| row.get(0))
            .expect("counted");
        assert_eq!(codes, 2);
        let mut statement = connection
            .prepare("SELECT digest, stored_at, code FROM policy_codes JOIN codes USING (checksum) ORDER BY digest")
            .expect("prepared");
        let rows: Vec<(Vec<u8>, i64, Vec<u8>)> = statement
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .and_then(Iterator::collect)
            .expect("read");
        let row = |digest: u8, code: [u8; 2]| (vec![digest], 5, code.to_vec());
        assert_eq!(rows, [row(0xa1, [0xc0, 0xde]), row(0xa2, [0xc0, 0xde]), row(0xa3, [0x07, 0xe2])]);
    }
}
