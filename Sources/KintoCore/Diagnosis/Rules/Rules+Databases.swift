// SPDX-License-Identifier: Apache-2.0

extension Rule {
    /// Databases and their migrations.
    static let databases: [Rule] = [
        Rule(
            code: "database-login",
            when: [
                "password authentication failed for user \"{text}\"", "Access denied for user {text}",
                "no pg_hba.conf entry",
                "role \"{text}\" does not exist", "NOAUTH Authentication required", "WRONGPASS",
                "Peer authentication failed",
                "Authentication failed against database", "no password supplied",
            ],
            says: "the database does not let it in",
            [.init("check name and password", "kinto config {SERVICE} list")]),
        Rule(
            code: "database-missing",
            when: [
                "database \"{text}\" does not exist", "Unknown database '{text}'",
                "ActiveRecord::NoDatabaseError",
            ],
            says: "the database is not there",
            [.init("make it, or check its name", "kinto config {SERVICE} list")]),
        Rule(
            code: "database-file", when: ["unable to open database file", "SQLITE_CANTOPEN"],
            says: "the database's file cannot be opened: its directory is not there, or not writable",
            [.init("keep it outside of the release, in a directory named by a variable (kinto config)")]),
        Rule(
            code: "database-locked", rank: .likely,
            when: [
                "database is locked", "SQLITE_BUSY", "canceling statement due to lock timeout",
                "Lock wait timeout exceeded", "deadlock detected",
            ],
            says: "another process holds a lock in the database",
            [.init("see what else uses it; the release that is live runs meanwhile")]),
        Rule(
            code: "migrations-pending",
            when: [
                "PendingMigrationError", "Migrations are pending", "You have {number} unapplied migration",
                "has not been applied yet", "Target database is not up to date",
            ],
            says: "the database is older than the code: migrations are pending",
            [.init("run them before the start: \"release\": {\"command\": …} in kinto.json")]),
        Rule(
            code: "migration-stuck",
            when: [
                "Dirty database version {number}", "migrate found failed migrations", "P3009",
                "ConcurrentMigrationError", "Waiting for changelog lock",
            ],
            says:
                "an earlier migration failed halfway, and the tool does not go on before someone has looked",
            [
                .init(
                    "look at what it left, mark it as done or undone with the tool, then deploy again",
                    "kinto deploy {SERVICE}")
            ]),
        Rule(
            code: "migration-order",
            when: [
                "Conflicting migrations detected", "Can't locate revision identified by",
                "Multiple head revisions are present", "DuplicateMigrationVersionError",
                "no migration found for version {number}", "Duplicate migration",
            ],
            says: "the migrations in the code and what the database has seen do not fit together",
            [
                .init(
                    "merge them in the repository; after a rollback the database may know newer ones than the code"
                )
            ]),
        Rule(
            code: "migration-clash",
            when: [
                "relation \"{text}\" already exists", "table \"{text}\" already exists",
                "table {word} already exists", "Table '{text}' already exists",
                "duplicate column name: {word}", "column \"{text}\" of relation \"{text2}\" already exists",
                "Duplicate column name '{text}'",
            ],
            says: "a migration makes what is there already",
            [
                .init(
                    "it may have been run by hand, or halfway before: mark it as done, or make it fit for both"
                )
            ]),
        Rule(
            code: "table-missing",
            when: [
                "no such table: {word}", "relation \"{text}\" does not exist", "Table '{text}' doesn't exist",
                "no such column: {word}",
                "column \"{text}\" does not exist", "Unknown column '{text}'", "column {word} does not exist",
            ],
            says: "the database has not the tables that the code expects",
            [.init("run the migrations before the start: \"release\": {\"command\": …} in kinto.json")]),
        Rule(
            code: "data-in-the-way",
            when: [
                "contains null values", "violates {text} constraint", "could not create unique index",
                "UNIQUE constraint failed: {word}", "NOT NULL constraint failed: {word}",
                "FOREIGN KEY constraint failed", "Duplicate entry '{text}'", "IntegrityError",
            ],
            says: "rows that are in the database break a rule that the migration or the code wants",
            [.init("mend the rows in a migration of its own before the rule is added")]),
        Rule(
            code: "database-driver",
            when: [
                "could not find driver", "Error loading psycopg2 or psycopg module",
                "Error loading MySQLdb module", "no such driver", "unknown driver \"{text}\"",
                "No suitable driver found", "ActiveRecord::AdapterNotFound",
                "ActiveRecord::AdapterNotSpecified",
            ],
            says: "the program has no driver for its database",
            [.init("add it to the packages that the build installs")]),
        Rule(
            code: "migration-failed", rank: .summary,
            when: [
                "An error has occurred, this and all later migrations canceled", "migration failed",
                "Migration failed", "error applying migration",
            ],
            says: "a migration failed; the lines below look most like the cause"),
    ]
}
