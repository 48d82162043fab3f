// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import Glibc
internal import Wire

/// The files of a project, as far as they are asked for: of a directory, or of a commit's tree. What cannot be read is not
/// there.
public final class ProjectFiles {
    /// What is read of a file, in bytes.
    public static let sizeLimit = 256 << 10

    private let read: (String) -> [UInt8]?
    private var known: [String: String?] = [:]

    /// - Parameter read: the bytes of a regular file by its path from the root; nil: there is none, or it is larger than
    ///   ``sizeLimit``.
    public init(read: @escaping (String) -> [UInt8]?) { self.read = read }

    /// Of a directory on this machine.
    public convenience init(directory: String) {
        self.init { path in
            let file = "\(directory)/\(path)"
            // Whoever opens a pipe without O_NONBLOCK waits for its writer.
            var status = stat()
            guard let opened = try? Descriptor.open(file, O_RDONLY | O_NONBLOCK),
                fstat(opened.raw, &status) == 0, status.st_mode & S_IFMT == S_IFREG
            else { return nil }
            return try? opened.readAll(limit: ProjectFiles.sizeLimit)
        }
    }

    func has(_ path: String) -> Bool { text(path) != nil }

    func text(_ path: String) -> String? {
        if let found = known[path] { return found }
        let text = read(path).map { String(decoding: $0, as: UTF8.self) }
        known[path] = .some(text)
        return text
    }

    /// The value at a path of keys in a JSON file, as text; nil: it is none, or not there.
    func value(_ path: String, _ keys: [String]) -> String? {
        guard let text = text(path),
            var value = try? JSONSerialization.jsonObject(with: Data(text.utf8)) as Any
        else { return nil }
        for key in keys {
            guard let next = (value as? [String: Any])?[key] else { return nil }
            value = next
        }
        return value as? String ?? ((value as? [String: Any])?.isEmpty == false ? "" : nil)
    }
}
