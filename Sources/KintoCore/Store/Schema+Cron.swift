// SPDX-License-Identifier: Apache-2.0
internal import GRDB

/// Of schedules.
extension Schema {
    static func addCron(_ migrator: inout DatabaseMigrator) {
        migrator.registerMigration("10-cron") { database in
            // `Store+Cron.swift`. A run that is no type's is forgotten when it is over; its columns stay empty.
            let event = """
                INSERT INTO event (at, kind, service, body) VALUES (\(now), 'cron', new.service, json_object(
                    'service', new.service, 'environment', new.environment, 'type', new.type,
                    'run', new.type || '.' || new.id, 'state', new.state, 'due', new.due, 'code', new.code,
                    'count', new.count));
                """
            try database.execute(
                sql: """
                    ALTER TABLE run ADD COLUMN service TEXT;
                    ALTER TABLE run ADD COLUMN environment TEXT;
                    ALTER TABLE run ADD COLUMN type TEXT;
                    ALTER TABLE run ADD COLUMN due INTEGER;
                    ALTER TABLE run ADD COLUMN state TEXT NOT NULL DEFAULT 'running';
                    ALTER TABLE run ADD COLUMN code INTEGER;
                    ALTER TABLE run ADD COLUMN count INTEGER NOT NULL DEFAULT 1;
                    CREATE UNIQUE INDEX run_due ON run(service, environment, type, due) WHERE due IS NOT NULL;
                    CREATE INDEX run_type ON run(service, environment, type, id) WHERE type IS NOT NULL;
                    CREATE INDEX run_going ON run(release) WHERE state = 'running';
                    -- Nothing of a type is due any more up to `seen`, as long as its times are these. `latest` is the highest that
                    -- it ever was: a clock may be set back, and forward again.
                    CREATE TABLE schedule (
                        service TEXT NOT NULL, environment TEXT NOT NULL, type TEXT NOT NULL, times TEXT NOT NULL,
                        seen INTEGER NOT NULL, latest INTEGER NOT NULL, PRIMARY KEY (service, environment, type),
                        FOREIGN KEY (service, environment) REFERENCES environment(service, name) ON DELETE CASCADE);
                    CREATE TRIGGER event_cron AFTER INSERT ON run WHEN new.type IS NOT NULL BEGIN \(event) END;
                    CREATE TRIGGER event_cron_over AFTER UPDATE ON run
                    WHEN new.type IS NOT NULL AND (old.state IS NOT new.state OR old.count IS NOT new.count)
                    BEGIN \(event) END;
                    """)
        }
        migrator.registerMigration("11-cron-reports") { database in
            // `Store+CronNews.swift`.
            try database.execute(
                sql: """
                    CREATE TABLE cronNews (
                        id INTEGER PRIMARY KEY AUTOINCREMENT, service TEXT NOT NULL, environment TEXT NOT NULL,
                        type TEXT NOT NULL, isFailure INTEGER NOT NULL, body TEXT NOT NULL,
                        FOREIGN KEY (service, environment) REFERENCES environment(service, name) ON DELETE CASCADE);
                    CREATE INDEX cronNews_type ON cronNews(service, environment, type, id);
                    CREATE TABLE cronReport (
                        target INTEGER NOT NULL REFERENCES reportTarget(id) ON DELETE CASCADE,
                        news INTEGER NOT NULL REFERENCES cronNews(id) ON DELETE CASCADE,
                        isTold INTEGER NOT NULL, attempts INTEGER NOT NULL, nextAt INTEGER, problem TEXT,
                        PRIMARY KEY (target, news)) WITHOUT ROWID;
                    CREATE INDEX cronReport_next ON cronReport(nextAt) WHERE nextAt IS NOT NULL;
                    ALTER TABLE reportTarget ADD COLUMN cronSince INTEGER NOT NULL DEFAULT 0;
                    """)
        }
        migrator.registerMigration("12-removals") { database in
            // `Store+Removals.swift`. Lists are JSON.
            try database.execute(
                sql: """
                    CREATE TABLE removal (
                        id INTEGER PRIMARY KEY AUTOINCREMENT, service TEXT NOT NULL, environment TEXT, local TEXT,
                        former TEXT NOT NULL, artifacts TEXT NOT NULL);
                    """)
        }
    }
}
