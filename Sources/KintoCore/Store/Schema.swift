// SPDX-License-Identifier: Apache-2.0
internal import GRDB

/// The tables, by migration. A database of a newer version is refused, never touched.
enum Schema {
    static let migrations: DatabaseMigrator = {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("1") { database in
            try database.execute(
                sql: """
                    CREATE TABLE service (
                        name TEXT PRIMARY KEY, source TEXT NOT NULL, repository TEXT NOT NULL,
                        createdAt INTEGER NOT NULL, webhookSecret TEXT NOT NULL);
                    CREATE TABLE environment (
                        service TEXT NOT NULL REFERENCES service(name) ON DELETE CASCADE, name TEXT NOT NULL,
                        branch TEXT NOT NULL, suspended INTEGER NOT NULL DEFAULT 0, port INTEGER,
                        nextNumber INTEGER NOT NULL DEFAULT 1, PRIMARY KEY (service, name));
                    CREATE TABLE release (
                        id INTEGER PRIMARY KEY AUTOINCREMENT,
                        service TEXT NOT NULL, environment TEXT NOT NULL, number INTEGER NOT NULL,
                        status TEXT NOT NULL, live INTEGER NOT NULL DEFAULT 0, stage TEXT, body TEXT NOT NULL,
                        UNIQUE (service, environment, number),
                        FOREIGN KEY (service, environment) REFERENCES environment(service, name) ON DELETE CASCADE);
                    CREATE INDEX release_open ON release(status) WHERE status IN ('queued', 'deploying');
                    CREATE UNIQUE INDEX release_live ON release(service, environment) WHERE live = 1;
                    CREATE TABLE journal (
                        id INTEGER PRIMARY KEY AUTOINCREMENT,
                        release INTEGER NOT NULL REFERENCES release(id) ON DELETE CASCADE,
                        at INTEGER NOT NULL, step TEXT NOT NULL, detail TEXT NOT NULL DEFAULT '');
                    CREATE INDEX journal_release ON journal(release);
                    CREATE TABLE config (
                        service TEXT NOT NULL, environment TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL,
                        updatedAt INTEGER NOT NULL, PRIMARY KEY (service, environment, name),
                        FOREIGN KEY (service, environment) REFERENCES environment(service, name) ON DELETE CASCADE);
                    CREATE TABLE delivery (
                        service TEXT NOT NULL, identifier TEXT NOT NULL, event TEXT NOT NULL, reference TEXT NOT NULL,
                        verdict TEXT NOT NULL, release INTEGER, status INTEGER NOT NULL, at INTEGER NOT NULL,
                        PRIMARY KEY (service, identifier));
                    CREATE TABLE token (hash TEXT PRIMARY KEY, name TEXT NOT NULL, createdAt INTEGER NOT NULL);
                    CREATE TABLE accepted (identifier TEXT PRIMARY KEY, at INTEGER NOT NULL);
                    """)
        }
        migrator.registerMigration("2") { database in
            try database.execute(
                sql: """
                    ALTER TABLE environment ADD COLUMN paused INTEGER NOT NULL DEFAULT 0;
                    ALTER TABLE environment ADD COLUMN maintenance TEXT;
                    ALTER TABLE environment ADD COLUMN deploysStopped TEXT;
                    ALTER TABLE environment ADD COLUMN scale INTEGER;
                    """)
        }
        migrator.registerMigration("3-storage") { database in
            try database.execute(
                sql: "CREATE TABLE pin (release INTEGER PRIMARY KEY REFERENCES release(id) ON DELETE CASCADE)"
            )
        }
        migrator.registerMigration("3-secrets") { database in
            // What was set before counts as secret. `Store.unlock` seals what is there when there is no probe yet.
            try database.execute(
                sql: """
                    ALTER TABLE config ADD COLUMN secret INTEGER NOT NULL DEFAULT 1;
                    CREATE TABLE sealing (
                        id INTEGER PRIMARY KEY CHECK (id = 1), probe TEXT NOT NULL, isScrubbed INTEGER NOT NULL);
                    """)
        }
        migrator.registerMigration("3-queue") { database in
            try database.execute(
                sql: """
                    ALTER TABLE service ADD COLUMN queue TEXT NOT NULL DEFAULT 'wait';
                    ALTER TABLE accepted ADD COLUMN release INTEGER;
                    """)
        }
        migrator.registerMigration("4-deliveries") { database in
            // What was received before came from GitHub, or from what imitates it.
            try database.execute(
                sql: """
                    ALTER TABLE service ADD COLUMN provider TEXT NOT NULL DEFAULT 'github';
                    ALTER TABLE service ADD COLUMN settingsPath TEXT NOT NULL DEFAULT 'kinto.json';
                    ALTER TABLE service ADD COLUMN missed TEXT NOT NULL DEFAULT 'deploy';
                    ALTER TABLE service ADD COLUMN previousSecret TEXT;
                    ALTER TABLE service ADD COLUMN previousSecretUntil INTEGER;
                    ALTER TABLE delivery ADD COLUMN provider TEXT NOT NULL DEFAULT 'github';
                    ALTER TABLE delivery ADD COLUMN changes TEXT NOT NULL DEFAULT '';
                    ALTER TABLE delivery ADD COLUMN duration INTEGER NOT NULL DEFAULT 0;
                    CREATE TABLE credential (
                        service TEXT PRIMARY KEY REFERENCES service(name) ON DELETE CASCADE,
                        sshKey TEXT, publicKey TEXT, username TEXT, token TEXT, authorities TEXT);
                    CREATE TABLE reportTarget (
                        id INTEGER PRIMARY KEY AUTOINCREMENT,
                        service TEXT REFERENCES service(name) ON DELETE CASCADE, kind TEXT NOT NULL,
                        url TEXT NOT NULL, secret TEXT NOT NULL, since INTEGER NOT NULL);
                    CREATE TABLE report (
                        target INTEGER NOT NULL REFERENCES reportTarget(id) ON DELETE CASCADE,
                        release INTEGER NOT NULL REFERENCES release(id) ON DELETE CASCADE,
                        state TEXT, attempts INTEGER NOT NULL, nextAt INTEGER, problem TEXT,
                        PRIMARY KEY (target, release)) WITHOUT ROWID;
                    CREATE INDEX report_next ON report(nextAt) WHERE nextAt IS NOT NULL;
                    -- A rollback asks who else has the artifact: not by reading the whole history.
                    CREATE INDEX release_artifact ON release(json_extract(body, '$.artifact.identifier'));
                    CREATE INDEX delivery_at ON delivery(at);
                    """)
        }
        migrator.registerMigration("5-mail") { database in
            try database.execute(sql: "ALTER TABLE reportTarget ADD COLUMN mail TEXT")
        }
        migrator.registerMigration("5-submodules") { database in
            try database.execute(
                sql: "ALTER TABLE service ADD COLUMN submoduleHosts TEXT NOT NULL DEFAULT ''")
        }
        migrator.registerMigration("6-events") { database in
            // `Store+Events.swift`.
            func release(was: String) -> String {
                """
                INSERT INTO event (at, kind, service, body) VALUES (\(now), 'release', new.service, json_object(
                    'service', new.service, 'environment', new.environment, 'number', new.number,
                    'status', new.status, 'was', \(was), 'stage', new.stage, 'live', \(truth("new.live"))));
                """
            }
            let environment = """
                INSERT INTO event (at, kind, service, body) VALUES (\(now), 'environment', new.service, json_object(
                    'service', new.service, 'environment', new.name, 'branch', new.branch,
                    'suspended', \(truth("new.suspended")), 'paused', \(truth("new.paused")),
                    'maintenance', \(truth("new.maintenance IS NOT NULL")), 'deploysStopped', new.deploysStopped,
                    'instances', new.scale));
                """
            try database.execute(
                sql: """
                    CREATE TABLE event (
                        id INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, kind TEXT NOT NULL,
                        service TEXT NOT NULL, body TEXT NOT NULL);
                    CREATE TRIGGER event_bound AFTER INSERT ON event WHEN new.id % 250 = 0 BEGIN
                        DELETE FROM event WHERE id <= new.id - 10000;
                    END;
                    CREATE TRIGGER event_accepted AFTER INSERT ON release BEGIN \(release(was: "NULL")) END;
                    CREATE TRIGGER event_release AFTER UPDATE ON release
                    WHEN old.status IS NOT new.status OR old.stage IS NOT new.stage OR old.live IS NOT new.live
                    BEGIN \(release(was: "old.status")) END;
                    CREATE TRIGGER event_environment AFTER UPDATE ON environment
                    WHEN old.suspended IS NOT new.suspended OR old.paused IS NOT new.paused
                        OR old.maintenance IS NOT new.maintenance OR old.branch IS NOT new.branch
                        OR old.deploysStopped IS NOT new.deploysStopped OR old.scale IS NOT new.scale
                    BEGIN \(environment) END;
                    CREATE TRIGGER event_added AFTER INSERT ON environment BEGIN \(environment) END;
                    CREATE TRIGGER event_removed AFTER DELETE ON service BEGIN
                        INSERT INTO event (at, kind, service, body) VALUES (\(now), 'service', old.name,
                            json_object('service', old.name, 'removed', \(truth("1"))));
                    END;
                    CREATE TRIGGER event_delivery AFTER INSERT ON delivery BEGIN
                        INSERT INTO event (at, kind, service, body) VALUES (\(now), 'delivery', new.service,
                            json_object('service', new.service, 'delivery', new.identifier, 'event', new.event,
                                'verdict', new.verdict, 'status', new.status, 'release', new.release));
                    END;
                    -- Counted without the bodies.
                    CREATE INDEX release_status ON release(service, environment, status);
                    """)
        }
        migrator.registerMigration("7-environments") { database in
            let changed = """
                INSERT INTO event (at, kind, service, body) VALUES (\(now), 'environment', new.service, json_object(
                    'service', new.service, 'environment', new.name, 'branch', new.branch,
                    'suspended', \(truth("new.suspended")), 'paused', \(truth("new.paused")),
                    'maintenance', \(truth("new.maintenance IS NOT NULL")), 'deploysStopped', new.deploysStopped,
                    'instances', new.scale, 'autoDeploy', \(truth("new.autoDeploy")),
                    'protect', \(truth("new.isProtected"))));
                """
            try database.execute(
                sql: """
                    ALTER TABLE environment ADD COLUMN autoDeploy INTEGER NOT NULL DEFAULT 1;
                    ALTER TABLE environment ADD COLUMN isProtected INTEGER NOT NULL DEFAULT 0;
                    -- A branch of that name; from here on it would be a tag.
                    UPDATE environment SET branch = 'refs/heads/' || branch WHERE branch LIKE 'tags/%';
                    -- Those of 6, with what an environment has besides.
                    DROP TRIGGER event_environment;
                    DROP TRIGGER event_added;
                    CREATE TRIGGER event_environment AFTER UPDATE ON environment
                    WHEN old.suspended IS NOT new.suspended OR old.paused IS NOT new.paused
                        OR old.maintenance IS NOT new.maintenance OR old.branch IS NOT new.branch
                        OR old.deploysStopped IS NOT new.deploysStopped OR old.scale IS NOT new.scale
                        OR old.autoDeploy IS NOT new.autoDeploy OR old.isProtected IS NOT new.isProtected
                    BEGIN \(changed) END;
                    CREATE TRIGGER event_added AFTER INSERT ON environment BEGIN \(changed) END;
                    CREATE TRIGGER event_gone AFTER DELETE ON environment
                    WHEN EXISTS (SELECT 1 FROM service WHERE name = old.service)
                    BEGIN
                        INSERT INTO event (at, kind, service, body) VALUES (\(now), 'environment', old.service,
                            json_object('service', old.service, 'environment', old.name,
                                'removed', json('true')));
                    END;
                    """)
        }
        migrator.registerMigration("8-deliveries") { database in
            // Of each environment, as JSON; empty: none, or from before this.
            try database.execute(sql: "ALTER TABLE delivery ADD COLUMN releases TEXT NOT NULL DEFAULT ''")
        }
        migrator.registerMigration("8-access") { database in
            // A token of before may do everything, as it did.
            try database.execute(
                sql: """
                    ALTER TABLE token ADD COLUMN role TEXT NOT NULL DEFAULT 'admin';
                    ALTER TABLE token ADD COLUMN lastUsedAt INTEGER;
                    CREATE TABLE user (
                        name TEXT PRIMARY KEY COLLATE NOCASE, role TEXT NOT NULL, password TEXT NOT NULL,
                        stamp TEXT NOT NULL, createdAt INTEGER NOT NULL, lastSignInAt INTEGER);
                    CREATE TABLE audit (
                        id INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, who TEXT NOT NULL, role TEXT,
                        door TEXT NOT NULL, action TEXT NOT NULL, service TEXT, target TEXT NOT NULL,
                        what TEXT NOT NULL, result TEXT NOT NULL);
                    CREATE INDEX audit_service ON audit(service);
                    CREATE INDEX audit_who ON audit(who);
                    CREATE INDEX audit_at ON audit(at);
                    """)
            try nameTokens(database)
        }
        migrator.registerMigration("9-processes") { database in
            // How many instances of types beside `web` the operator wants, as JSON by type.
            try database.execute(
                sql: """
                    ALTER TABLE environment ADD COLUMN scales TEXT;
                    CREATE TABLE run (
                        id INTEGER PRIMARY KEY AUTOINCREMENT,
                        release INTEGER NOT NULL REFERENCES release(id) ON DELETE CASCADE, body TEXT NOT NULL);
                    CREATE INDEX run_release ON run(release);
                    CREATE TRIGGER event_scaled AFTER UPDATE ON environment WHEN old.scales IS NOT new.scales BEGIN
                        INSERT INTO event (at, kind, service, body) VALUES (\(now), 'environment', new.service,
                            json_object('service', new.service, 'environment', new.name,
                                'processes', json(coalesce(new.scales, '{}'))));
                    END;
                    """)
        }
        migrator.registerMigration("9-previews") { database in
            try database.execute(
                sql: """
                    ALTER TABLE service ADD COLUMN previews TEXT;
                    ALTER TABLE environment ADD COLUMN previewUntil INTEGER;
                    CREATE INDEX environment_preview ON environment(previewUntil) WHERE previewUntil IS NOT NULL;
                    """)
        }
        migrator.registerMigration("9-rename") { database in
            // `Store+Rename.swift`.
            try database.execute(
                sql: """
                    CREATE TABLE renamed (
                        old TEXT PRIMARY KEY, new TEXT NOT NULL REFERENCES service(name) ON DELETE CASCADE,
                        at INTEGER NOT NULL, isDone INTEGER NOT NULL DEFAULT 0);
                    """)
        }
        addCron(&migrator)
        migrator.registerMigration("10-running") { database in
            try database.execute(
                sql: "CREATE INDEX release_running ON release(service, environment) WHERE \(runs)")
        }
        return migrator
    }()

    /// Whether a release has instances on record.
    static let runs = "json_extract(body, '$.instances[0]') IS NOT NULL"

    /// A token is removed by its name, so no two have the same. The oldest keeps it.
    private static func nameTokens(_ database: Database) throws {
        var taken: Set<String> = []
        for row in try Row.fetchAll(database, sql: "SELECT hash, name FROM token ORDER BY createdAt, hash") {
            let (hash, old): (String, String) = (row["hash"], row["name"])
            var (name, count) = (old, 1)
            while !taken.insert(name.lowercased()).inserted {
                count += 1
                name = "\(old)-\(count)"
            }
            if name != old {
                try database.execute(
                    sql: "UPDATE token SET name = ? WHERE hash = ?", arguments: [name, hash])
            }
        }
        try database.execute(sql: "CREATE UNIQUE INDEX token_name ON token(name COLLATE NOCASE)")
    }

    /// In SQL: milliseconds since 1970.
    static let now = "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)"

    /// In SQL: what is true as JSON says it.
    private static func truth(_ text: String) -> String { "json(iif(\(text), 'true', 'false'))" }
}
