// SPDX-License-Identifier: Apache-2.0
internal import HookReceiver

/// Pushes that hooks left while the server did not answer.
struct SpoolJSON: Encodable {
    let waiting: Int
    /// Names of those that could not be taken up and are kept aside.
    let setAside: [String]
    let directory: String

    init(_ spool: Spool) {
        waiting = spool.count
        setAside = spool.aside
        directory = spool.asideDirectory
    }

    var finding: Finding {
        guard setAside.isEmpty else {
            return Finding(
                "spool",
                "\(setAside.count) pushes could not be taken up: \(setAside.prefix(3).joined(separator: ", "))",
                isWell: false,
                fix: "read the .why beside each in \(directory), deploy by hand, then remove it")
        }
        return Finding("spool", waiting == 0 ? "empty" : "\(waiting) pushes are being taken up")
    }
}
