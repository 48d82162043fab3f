// SPDX-License-Identifier: Apache-2.0
internal import Glibc
internal import KintoCore
internal import Wire

/// Whether a file of settings that is there can be used, in the words of a push.
enum CheckedFile {
    /// - Returns: what is wrong with the directory, the kinto.json, or without one the Procfile; nil: nothing.
    static func refusal(_ directory: String, _ settings: String) -> String? {
        guard Files.isDirectory(directory) else {
            return "\(directory) is not a directory: name the one that kinto.json lies in"
        }
        var status = stat()
        if lstat(settings, &status) == 0 { return refusal(settings) }
        return refusal("\(directory)/Procfile")
    }

    private static func refusal(_ path: String) -> String? {
        var status = stat()
        guard lstat(path, &status) == 0 else {
            return errno == ENOENT ? nil : "\(path) cannot be read: \(String(cString: strerror(errno)))"
        }
        switch status.st_mode & S_IFMT {
        case S_IFREG where status.st_size > Manifest.sizeLimit:
            return "\(path) has \(status.st_size) bytes; at most \(Manifest.sizeLimit) are read"
        case S_IFREG:
            guard access(path, R_OK) != 0 else { return nil }
            return "\(path) cannot be read: \(String(cString: strerror(errno)))"
        case S_IFLNK: return "\(path) is a symbolic link: commit the file itself"
        case S_IFDIR: return "\(path) is a directory, not a file"
        default: return "\(path) is not a plain file"
        }
    }
}
