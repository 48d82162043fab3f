// SPDX-License-Identifier: Apache-2.0
internal import GRDB
internal import Glibc
internal import Wire

/// Opens the database, or says why it must not be used. What was there and is gone, cut or overwritten is never made
/// anew: an empty record would let the server end everything that it does not know.
struct StoreOpening {
    let path: String
    /// What shows that the home had a database before; empty: one may be made.
    let signs: [String]

    /// - Throws: `Failure` of code `store-missing`, `store-damaged`, `store-newer`, `store-locked`, `store-unreadable`,
    ///   `store-full`.
    func open() throws -> DatabasePool {
        try refuseMissing()
        do {
            try examineFile()
            let pool = try DatabasePool(path: path, configuration: Self.configuration)
            // Somebody who keeps the lock now would keep it in the middle of a deploy.
            try pool.writeWithoutTransaction { database in
                try database.execute(sql: "BEGIN IMMEDIATE; ROLLBACK")
                // Here and not when the connection is prepared: the pool sets NORMAL after that, with which the last
                // commits are lost when the power goes.
                try database.execute(sql: "PRAGMA synchronous = FULL")
                // What its log grew to under a reader that stayed is given back afterwards.
                try database.execute(sql: "PRAGMA journal_size_limit = \(8 << 20)")
            }
            try Schema.migrations.migrate(pool)
            return pool
        } catch let error as DatabaseError { throw StoreFault(path: path).failure(error) }
    }

    /// Through a connection that cannot write: what is refused stays as it is, byte by byte.
    private func examineFile() throws {
        guard Files.exists(path) else { return }
        var reading = Self.configuration
        reading.readonly = true
        let queue = try DatabaseQueue(path: path, configuration: reading)
        try queue.read { database in
            if try Schema.migrations.hasBeenSuperseded(database) { throw newer }
            try examine(database)
            if !signs.isEmpty, try Schema.migrations.appliedIdentifiers(database).isEmpty {
                throw missing("\(path) holds none of kinto's tables")
            }
        }
        try queue.close()
    }

    static let configuration: Configuration = {
        var configuration = Configuration()
        configuration.foreignKeysEnabled = true
        // Short: `Store` tries again, and meanwhile others of this process get their turn.
        configuration.busyMode = .timeout(1)
        configuration.maximumReaderCount = 4
        configuration.prepareDatabase { database in
            try database.execute(sql: "PRAGMA cell_size_check = ON")
        }
        return configuration
    }()

    private func refuseMissing() throws {
        var status = stat()
        if stat(path, &status) == 0 {
            if status.st_size == 0, !signs.isEmpty { throw missing("\(path) is empty") }
            return
        }
        let code = errno
        guard code == ENOENT else {
            throw Failure(
                code: "store-unreadable",
                "the database cannot be read: \(SystemError("stat", path, code: code))")
        }
        var log = stat()
        let hasLog = stat("\(path)-wal", &log) == 0 && log.st_size > 0
        if hasLog || !signs.isEmpty {
            throw missing(
                "\(path) is gone", hasLog ? ["\(path)-wal, which belongs to it, is still there"] : [])
        }
    }

    /// Looks at every page. The database is small: retention bounds it.
    private func examine(_ database: Database) throws {
        let found = try String.fetchAll(database, sql: "PRAGMA quick_check(5)")
        guard found != ["ok"] else { return }
        throw StoreFault(path: path).damaged(found)
    }

    private var newer: Failure {
        Failure(
            code: "store-newer", "\(path) was written by a newer version of kinto",
            hints: [.init("install that version, or restore a backup made by this one")])
    }

    private func missing(_ what: String, _ more: [String] = []) -> Failure {
        let home = Files.parent(of: path)
        return Failure(
            code: "store-missing", "\(what), but this home was in use: no new one is made in its place",
            evidence: signs + more,
            hints: [
                .init("put the file back, or restore a backup", command: "kinto restore BACKUP --home NEW"),
                .init("or begin with nothing, which ends what runs", command: "mv \(home) \(home).old"),
            ])
    }
}

/// What SQLite's refusals mean to a person.
struct StoreFault {
    let path: String

    func failure(_ error: DatabaseError) -> Failure {
        let text = error.message ?? "\(error.resultCode)"
        switch error.resultCode {
        case .SQLITE_CORRUPT, .SQLITE_NOTADB:
            // SQLite says so also of a page that the disk does not give back.
            var failure = damaged([text])
            failure.message =
                "the database \(path) is damaged, or its disk cannot be read; nothing was changed"
            return failure
        case .SQLITE_BUSY, .SQLITE_LOCKED: return busy
        case .SQLITE_FULL:
            return Failure(
                code: "store-full", "the state could not be written to \(path): \(text)", hints: [room])
        case .SQLITE_IOERR, .SQLITE_CANTOPEN, .SQLITE_READONLY, .SQLITE_NOMEM, .SQLITE_PERM:
            return Failure(
                code: "store-unwritable", "the state could not be read or written at \(path): \(text)",
                evidence: ["SQLite's code \(error.extendedResultCode.rawValue)"],
                hints: [
                    room, .init("or look for what the disk or the limits say", command: "dmesg -T | tail"),
                ])
        default:
            return Failure(
                code: "store-unreadable", "the database \(path) cannot be used: \(text)",
                hints: [restore])
        }
    }

    func damaged(_ found: [String]) -> Failure {
        Failure(
            code: "store-damaged", "the database \(path) is damaged; nothing was changed",
            evidence: Array(found.prefix(5)), hints: [restore])
    }

    /// With who holds it, if that can be seen.
    private var busy: Failure {
        let holders = OpenFile.holders(of: path)
        return Failure(
            code: "store-locked",
            "the database \(path) is locked by "
                + (holders.isEmpty
                    ? "another program"
                    : holders.map { "\($0.name) (pid \($0.pid))" }.joined(separator: ", ")),
            hints: [.init("end that program's transaction, or the program; then it goes on")])
    }

    private var room: Failure.Hint {
        .init(
            "make room on the file system of the home directory", command: "df -h \(Files.parent(of: path))")
    }

    private var restore: Failure.Hint {
        .init(
            "what runs keeps running; restore a backup into a new home",
            command: "kinto restore BACKUP --home NEW")
    }
}

/// Who has a file open.
enum OpenFile {
    /// Other processes than this, as far as it may look.
    static func holders(of path: String) -> [(pid: Int32, name: String)] {
        var wanted = stat()
        guard stat(path, &wanted) == 0 else { return [] }
        return ((try? Files.list("/proc")) ?? []).compactMap { entry in
            guard let pid = Int32(entry), pid != getpid() else { return nil }
            let isHolder = ((try? Files.list("/proc/\(pid)/fd")) ?? []).contains { descriptor in
                var found = stat()
                return stat("/proc/\(pid)/fd/\(descriptor)", &found) == 0 && found.st_ino == wanted.st_ino
                    && found.st_dev == wanted.st_dev
            }
            guard isHolder else { return nil }
            let name = (try? Files.read("/proc/\(pid)/comm", limit: 64)) ?? []
            return (pid, String(decoding: name.filter { $0 > 0x20 && $0 < 0x7F }, as: UTF8.self))
        }
    }
}
