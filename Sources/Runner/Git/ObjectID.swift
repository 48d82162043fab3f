// SPDX-License-Identifier: Apache-2.0
internal import CGit2
internal import KintoCore

/// The name of an object of a repository.
struct ObjectID: Sendable {
    var raw: git_oid

    init(_ raw: git_oid) { self.raw = raw }

    init(_ commit: CommitID) {
        raw = git_oid()
        // A CommitID is always 40 hexadecimal digits.
        _ = git_oid_fromstr(&raw, commit.description)
    }

    /// As the name of a commit; what kind of object it is, is not looked up.
    var commitID: CommitID? {
        withUnsafeBytes(of: raw) { bytes in
            let digits = Array("0123456789abcdef".utf8)
            var text: [UInt8] = []
            text.reserveCapacity(40)
            for byte in bytes.prefix(20) {
                text.append(digits[Int(byte >> 4)])
                text.append(digits[Int(byte & 15)])
            }
            return CommitID(String(decoding: text, as: UTF8.self))
        }
    }
}

/// One entry of a tree object, as it stands there: nothing about it has been checked.
struct TreeEntry {
    enum Kind: Sendable { case file, executable, link, directory, submodule, unknown }

    /// Ended by a NUL, as the kernel takes it.
    let name: [CChar]
    let kind: Kind
    let id: ObjectID

    /// For messages: control characters escaped.
    var shownName: String { shown(name.dropLast().map { UInt8(bitPattern: $0) }) }
}

/// Bytes of a path as a text that can be shown: control characters escaped, invalid UTF-8 replaced.
func shown(_ bytes: some Sequence<UInt8>) -> String {
    String(decoding: Array(bytes), as: UTF8.self).unicodeScalars.map { scalar in
        scalar.properties.generalCategory == .control ? scalar.escaped(asASCII: true) : String(scalar)
    }.joined()
}
