// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import GRDB
public import Wire

extension Store {
    /// Registers a service with its production environment.
    /// - Throws: `Failure` of code `service-exists`.
    /// - Parameter credentials: for its repository.
    public func add(
        _ service: RegisteredService, branch: String, credentials: FetchCredentials? = nil
    ) async throws {
        let production = RegisteredEnvironment(target: Target(service: service.name), branch: branch)
        try await add(service, [(production, [])], credentials: credentials)
    }

    /// Registers a service with its environments and their variables.
    /// - Throws: `Failure` of code `service-exists`.
    public func add(
        _ service: RegisteredService,
        _ environments: [(environment: RegisteredEnvironment, variables: [ConfigVariable])],
        credentials: FetchCredentials?
    ) async throws {
        try requireFile()
        try await write(.door) { database in
            let exists = try Bool.fetchOne(
                database, sql: "SELECT 1 FROM service WHERE name = ?", arguments: [service.name.description])
            if exists != nil {
                throw Failure(
                    code: "service-exists", "there is a service '\(service.name)' already",
                    hints: [.init("look at it", command: "kinto service show \(service.name)")])
            }
            try database.run(
                sql: """
                    INSERT INTO service (name, source, repository, createdAt, settingsPath, provider, webhookSecret, queue,
                        missed, submoduleHosts)
                    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                    """,
                arguments: [
                    service.name.description, service.source.rawValue, service.repository,
                    service.createdAt.milliseconds, service.settingsPath, service.provider.rawValue,
                    SecretBox.required().seal(
                        service.webhookSecret, for: Store.place(ofWebhook: service.name.description)),
                    service.queue.rawValue, service.missed.rawValue,
                    service.submoduleHosts.joined(separator: " "),
                ])
            for (environment, variables) in environments {
                try database.run(
                    sql: """
                        INSERT INTO environment (service, name, branch, scale, scales, autoDeploy, isProtected)
                        VALUES (?, ?, ?, ?, ?, ?, ?)
                        """,
                    arguments: [
                        service.name.description, environment.target.environment.description,
                        environment.branch, environment.scale, try Store.text(environment.scales),
                        environment.autoDeploy,
                        environment.isProtected,
                    ])
                for variable in variables {
                    try Store.set(
                        database, environment.target, variable.name, variable.value, variable.isSecret)
                }
            }
            if let credentials { try Store.save(database, service.name, credentials) }
        }
    }

    /// Takes back the registration of a service that has no files yet.
    public func remove(_ service: ServiceName) async throws {
        try await write { try Store.forget($0, service) }
    }

    static func forget(_ database: Database, _ service: ServiceName) throws {
        try database.execute(sql: "DELETE FROM service WHERE name = ?", arguments: [service.description])
        // A service that is registered again under the name knows nothing of them.
        try database.execute(
            sql: "DELETE FROM delivery WHERE service = ?", arguments: [service.description])
        try database.execute(
            sql: "DELETE FROM accepted WHERE identifier LIKE ? OR identifier LIKE ?",
            arguments: ["webhook \(service.description) %", "% \(service.description)/%"])
    }

    /// Changes settings of a service; nil: stays as it is.
    /// - Throws: `Failure` of code `unknown-service`.
    public func set(
        _ service: ServiceName, provider: Provider?, queue: QueuePolicy?, missed: MissedPushPolicy?,
        submoduleHosts: [String]? = nil
    ) async throws {
        try await write {
            try Store.change(
                $0, service,
                """
                provider = coalesce(?, provider), queue = coalesce(?, queue), missed = coalesce(?, missed),
                submoduleHosts = coalesce(?, submoduleHosts)
                """,
                [
                    provider?.rawValue, queue?.rawValue, missed?.rawValue,
                    submoduleHosts?.joined(separator: " "),
                ])
        }
    }

    static func change(
        _ database: Database, _ service: ServiceName, _ assignments: String, _ values: StatementArguments
    ) throws {
        try database.run(
            sql: "UPDATE service SET \(assignments) WHERE name = ?",
            arguments: values + [service.description])
        guard database.changesCount == 1 else {
            throw Failure(code: "unknown-service", "there is no service '\(service)'")
        }
    }

    /// Puts a new secret into force; the one before signs until `until`, the one before that no more.
    /// - Throws: `Failure` of code `unknown-service`.
    public func rotateSecret(_ service: ServiceName, to secret: String, until: Timestamp) async throws {
        try await write { database in
            let place = Store.place(ofWebhook: service.description)
            let box = try SecretBox.required()
            try Store.change(
                database, service,
                "previousSecret = webhookSecret, previousSecretUntil = ?, webhookSecret = ?",
                [until.milliseconds, try box.seal(secret, for: place)])
        }
    }

    public func services() async throws -> [RegisteredService] {
        try await read { database in
            try database.rows(
                sql: "SELECT * FROM service ORDER BY name"
            ).map(Store.service)
        }
    }

    public func service(_ name: ServiceName) async throws -> RegisteredService? {
        try await read { database in
            try database.row(
                sql: "SELECT * FROM service WHERE name = ?", arguments: [name.description]
            )
            .map(Store.service)
        }
    }

    public func environments(of service: ServiceName? = nil) async throws -> [RegisteredEnvironment] {
        try await read { try Store.environments($0, of: service) }
    }

    static func environments(_ database: Database, of service: ServiceName?) throws
        -> [RegisteredEnvironment]
    {
        try database.rows(
            sql: "SELECT * FROM environment WHERE ?1 IS NULL OR service = ?1 ORDER BY service, name",
            arguments: [service?.description]
        ).map(Store.environment)
    }

    public func environment(_ target: Target) async throws -> RegisteredEnvironment? {
        try await environments(of: target.service).first { $0.target == target }
    }

    /// Writes what an operator may change of an environment: all but its name and port.
    /// - Throws: what `change` throws, with nothing written; `Failure` of code `unknown-service`.
    @discardableResult
    public func update(
        _ target: Target, _ change: @Sendable @escaping (inout RegisteredEnvironment) throws -> Void
    ) async throws -> RegisteredEnvironment {
        try await write { database in
            guard
                var environment = try database.row(
                    sql: "SELECT * FROM environment WHERE service = ? AND name = ?",
                    arguments: [target.service.description, target.environment.description]
                ).map(Store.environment)
            else { throw Failure(code: "unknown-service", "there is no service '\(target)'") }
            try change(&environment)
            let maintenance = try environment.maintenance.map {
                String(decoding: try JSONEncoder().encode($0), as: UTF8.self)
            }
            try database.run(
                sql: """
                    UPDATE environment SET suspended = ?, paused = ?, maintenance = ?, deploysStopped = ?, scale = ?,
                        scales = ?, branch = ?, autoDeploy = ?, isProtected = ?
                    WHERE service = ? AND name = ?
                    """,
                arguments: [
                    environment.suspended, environment.paused, maintenance, environment.deploysStopped,
                    environment.scale, try Store.text(environment.scales), environment.branch,
                    environment.autoDeploy,
                    environment.isProtected,
                    target.service.description, target.environment.description,
                ])
            return environment
        }
    }

    /// Server-side configuration, by name.
    public func config(_ target: Target) async throws -> [String: String] {
        try await read { try Store.config($0, target) }
    }

    /// The same with what is secret of it, sorted by name.
    public func variables(_ target: Target) async throws -> [ConfigVariable] {
        try await read { try Store.variables($0, target) }
    }

    /// Sets and removes variables, and accepts the release that brings them into force, in one step.
    /// - Parameter secret: whether those that are set are secrets; one that is stays one.
    public func changeConfig(
        _ target: Target, set: [String: String], secret: Bool, unset: [String], release: NewRelease?
    ) async throws -> Release? {
        try requireFile()
        return try await write(.door) { database in
            for (name, value) in set { try Store.set(database, target, name, value, secret) }
            for name in unset {
                try database.run(
                    sql: "DELETE FROM config WHERE service = ? AND environment = ? AND name = ?",
                    arguments: [target.service.description, target.environment.description, name])
            }
            return try release.map { try Store.accept(database, $0) }
        }
    }

    /// As a column holds them; nil: none.
    private static func text(_ scales: [String: Int]) throws -> String? {
        guard !scales.isEmpty else { return nil }
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        return String(decoding: try encoder.encode(scales), as: UTF8.self)
    }

    static func set(
        _ database: Database, _ target: Target, _ name: String, _ value: String, _ secret: Bool
    ) throws {
        try database.run(
            sql: """
                INSERT INTO config (service, environment, name, value, updatedAt, secret)
                VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (service, environment, name) DO UPDATE SET
                value = excluded.value, updatedAt = excluded.updatedAt,
                secret = max(secret, excluded.secret)
                """,
            arguments: [
                target.service.description, target.environment.description, name,
                SecretBox.required().seal(value, for: Store.place(ofVariable: name, target.description)),
                Timestamp.now.milliseconds, secret,
            ])
    }

    static func config(_ database: Database, _ target: Target) throws -> [String: String] {
        Dictionary(try variables(database, target).map { ($0.name, $0.value) }, uniquingKeysWith: { $1 })
    }

    static func variables(_ database: Database, _ target: Target) throws -> [ConfigVariable] {
        let rows = try database.rows(
            sql: "SELECT name, value, secret FROM config WHERE service = ? AND environment = ? ORDER BY name",
            arguments: [target.service.description, target.environment.description]
        )
        let box = try SecretBox.required()
        return try rows.map { row in
            let name: String = row["name"]
            return ConfigVariable(
                name: name,
                value: try box.open(row["value"], for: place(ofVariable: name, target.description)),
                isSecret: row["secret"])
        }
    }

    static func service(_ row: Row) throws -> RegisteredService {
        let name: String = row["name"]
        let box = try SecretBox.required()
        var previous: RegisteredService.PreviousSecret?
        if let sealed: String = row["previousSecret"], let until: Int64 = row["previousSecretUntil"] {
            previous = .init(
                value: try box.open(sealed, for: place(ofWebhook: name)),
                until: Timestamp(milliseconds: until))
        }
        return RegisteredService(
            name: try ServiceName(name),
            source: RegisteredService.Source(rawValue: row["source"]) ?? .remote,
            repository: row["repository"],
            createdAt: Timestamp(milliseconds: row["createdAt"]),
            settingsPath: row["settingsPath"],
            provider: Provider(rawValue: row["provider"]) ?? .generic,
            webhookSecret: try box.open(row["webhookSecret"], for: place(ofWebhook: name)),
            previousSecret: previous,
            queue: QueuePolicy(rawValue: row["queue"]) ?? .wait,
            missed: MissedPushPolicy(rawValue: row["missed"]) ?? .warn,
            submoduleHosts: (row["submoduleHosts"] as String).split(separator: " ").map(String.init),
            previews: try (row["previews"] as String?).map {
                try JSONDecoder().decode(PreviewRule.self, from: Data($0.utf8))
            })
    }

    static func environment(_ row: Row) throws -> RegisteredEnvironment {
        RegisteredEnvironment(
            target: Target(
                service: try ServiceName(row["service"] as String),
                environment: try EnvironmentName(row["name"] as String)),
            branch: row["branch"], suspended: row["suspended"],
            port: (row["port"] as Int?).flatMap(UInt16.init(exactly:)), paused: row["paused"],
            maintenance: try (row["maintenance"] as String?).map {
                try JSONDecoder().decode(Maintenance.self, from: Data($0.utf8))
            }, deploysStopped: row["deploysStopped"], scale: row["scale"],
            scales: try (row["scales"] as String?).map {
                try JSONDecoder().decode([String: Int].self, from: Data($0.utf8))
            } ?? [:],
            autoDeploy: row["autoDeploy"], isProtected: row["isProtected"],
            previewUntil: (row["previewUntil"] as Int64?).map(Timestamp.init(milliseconds:)))
    }
}
