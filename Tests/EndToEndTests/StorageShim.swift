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
        /// Those that need room.
        static let room: Calls = [.open, .write, .sync, .rename, .mkdir, .cut]
    }

    let directory: String
    private var library: String { "\(directory)/shim.so" }
    private var control: String { "\(directory)/control" }
    var log: String { "\(directory)/log" }

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

    /// - Parameter logs: whether all that changes files is written down.
    func environment(home: String, logs: Bool = false) -> [String] {
        ["LD_PRELOAD=\(library)", "KINTO_SHIM_HOME=\(home)", "KINTO_SHIM_CONTROL=\(control)"]
            + (logs ? ["KINTO_SHIM_LOG=\(log)"] : [])
    }

    /// From now on the `number`-th of the calls fails, and all after it when `sticky`; 0: they are counted.
    func arm(_ calls: Calls, error: Int32, at number: UInt64, sticky: Bool = false) throws {
        try write(at: 40, UInt32(0))
        try write(at: 0, UInt64(0))
        try write(at: 44, [UInt8](repeating: 0, count: 1024))
        try write(at: 8, UInt64(0))
        try write(at: 16, UInt64(0))
        try write(at: 32, UInt32(bitPattern: error))
        try write(at: 36, UInt32(sticky ? 1 : 0))
        try write(at: 0, number)
        try write(at: 40, calls.rawValue)
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
