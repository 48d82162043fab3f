// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Wire

/// `Tests/Shim/storage.c` in a server: makes calls on the home's files fail, and writes down what changes them.
struct StorageShim: Sendable {
    /// What kinds of calls count, as in the C source.
    struct Calls: OptionSet, Sendable {
        let rawValue: UInt32
        static let open = Calls(rawValue: 1)
        static let write = Calls(rawValue: 2)
        static let sync = Calls(rawValue: 4)
        static let rename = Calls(rawValue: 8)
        static let mkdir = Calls(rawValue: 16)
        static let spawn = Calls(rawValue: 32)
        static let unlink = Calls(rawValue: 64)
        static let read = Calls(rawValue: 128)
        static let cut = Calls(rawValue: 256)
        static let mode = Calls(rawValue: 512)
        /// Sockets and pipes, which have no path.
        static let socket = Calls(rawValue: 1024)
        /// Those that need room.
        static let room: Calls = [.open, .write, .sync, .rename, .mkdir, .cut]
    }

    /// Whose calls count, as in the C source.
    struct Processes: OptionSet, Sendable {
        let rawValue: UInt32
        static let server = Processes(rawValue: 1)
        static let supervisor = Processes(rawValue: 2)
        static let hook = Processes(rawValue: 4)
    }

    /// Where a call is made: by which functions, called by which, in which kind of process.
    struct Place: Sendable {
        let identifier: UInt64
        /// The first call that was seen there.
        let example: String
        /// A socket, a pipe, a fork.
        var hasNoPath: Bool { example.hasSuffix(" ") }
    }

    let directory: String
    private var library: String { "\(directory)/shim.so" }
    private var control: String { "\(directory)/control" }
    var log: String { "\(directory)/log" }
    private var sites: String { "\(directory)/sites" }

    /// Builds it.
    init(in directory: String) async throws {
        self.directory = directory
        try Files.makeDirectories(directory)
        let source = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("Shim/storage.c").path
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments = [
            "-c", "$(command -v clang || echo cc) -shared -fPIC -O1 -o \(library) \(source) -ldl -lpthread",
        ]
        try process.run()
        await onThread { process.waitUntilExit() }
        guard process.terminationStatus == 0 else { throw Trouble("the shim cannot be built") }
        try Files.replace(control, with: [UInt8](repeating: 0, count: 4096))
    }

    /// - Parameters:
    ///   - logs: whether all that changes files is written down.
    ///   - children: "1": supervisors that are started have it, too; "all": whatever is started.
    func environment(home: String, logs: Bool = false, children: String? = nil) -> [String] {
        [
            "LD_PRELOAD=\(library)", "KINTO_SHIM_HOME=\(home)", "KINTO_SHIM_CONTROL=\(control)",
            "KINTO_SHIM_SITES=\(sites)",
        ] + (logs ? ["KINTO_SHIM_LOG=\(log)"] : [])
            + (children.map { ["KINTO_SHIM_CHILDREN=\($0)"] } ?? [])
    }

    /// From now on the first of the calls at a place fails, and all after it, wherever, when `sticky`.
    func arm(
        _ calls: Calls, of processes: Processes = .server, error: Int32, at place: Place,
        sticky: Bool = false
    ) throws {
        try disarm()
        try set(error: error, sticky: sticky, processes)
        try write(at: 1072, place.identifier)
        try write(at: 0, UInt64(1))
        try write(at: 40, calls.rawValue)
    }

    /// Calls are noted until `places()`.
    func note(_ calls: Calls, of processes: Processes = .server) throws {
        try disarm()
        // Those that run have it open.
        truncate(sites, 0)
        try set(error: 0, sticky: false, processes)
        try write(at: 1072, UInt64(0))
        try write(at: 0, UInt64(0))
        try write(at: 1084, UInt32(1))
        try write(at: 40, calls.rawValue)
    }

    private func set(error: Int32, sticky: Bool, _ processes: Processes) throws {
        try write(at: 0, UInt64(0))
        try write(at: 44, [UInt8](repeating: 0, count: 1024))
        try write(at: 8, UInt64(0))
        try write(at: 16, UInt64(0))
        try write(at: 32, UInt32(bitPattern: error))
        try write(at: 36, UInt32(sticky ? 1 : 0))
        try write(at: 1080, processes.rawValue)
        try write(at: 1084, UInt32(0))
    }

    /// The places of the calls that were noted, each once, in their order, and how many calls there were.
    func places() throws -> (places: [Place], calls: Int) {
        try disarm()
        let lines = String(decoding: try Files.read(sites, limit: 1 << 28), as: UTF8.self)
            .split(separator: "\n")
        var seen: Set<UInt64> = []
        var places: [Place] = []
        for line in lines {
            let words = line.split(separator: " ", maxSplits: 1)
            guard words.count == 2, let identifier = UInt64(words[0]), seen.insert(identifier).inserted
            else { continue }
            places.append(Place(identifier: identifier, example: String(words[1])))
        }
        return (places, lines.count)
    }

    func disarm() throws { try write(at: 40, UInt32(0)) }

    var seen: UInt64 { get throws { try number(at: 8) } }
    var hits: UInt64 { get throws { try number(at: 16) } }
    var logged: UInt64 { get throws { try number(at: 24) } }
    /// The first call that failed.
    var first: String {
        get throws { String(decoding: try Files.read(control)[44...].prefix { $0 != 0 }, as: UTF8.self) }
    }

    private func number(at offset: Int) throws -> UInt64 {
        try Files.read(control)[offset..<offset + 8].reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }

    private func write<T: FixedWidthInteger>(at offset: Int, _ value: T) throws {
        try write(at: offset, withUnsafeBytes(of: value.littleEndian) { Array($0) })
    }

    private func write(at offset: Int, _ bytes: [UInt8]) throws {
        let file = try Descriptor.open(control, O_WRONLY)
        try check("write", control) { pwrite(file.raw, bytes, bytes.count, off_t(offset)) }
    }
}
