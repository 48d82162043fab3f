// SPDX-License-Identifier: Apache-2.0
internal import Glibc
internal import KintoCore
internal import Wire

extension SystemError {
    /// In the words of a person: what is used up and how to get more of it, always with the path.
    var asFailure: Failure {
        switch code {
        case ENOSPC, EDQUOT:
            Failure(
                code: "disk-full", "the disk is full: \(self)",
                hints: [
                    .init("see what kinto can give back", command: "kinto prune --dry-run"),
                    .init("make room on the file system of the home directory", command: "df -h"),
                ])
        case EMFILE, ENFILE:
            Failure(
                code: "too-many-files", "no more files can be opened: \(self)",
                hints: [.init("raise the limit of the server", command: "ulimit -n 65536")])
        case EAGAIN where operation == "start", ENOMEM:
            Failure(
                code: "no-processes", "the host has no more processes or memory to give: \(self)",
                hints: [.init("see what uses them", command: "ps -eo user,pid,rss,args --sort -rss | head")])
        default:
            Failure(
                code: "file-system", "\(self)", hints: [.init("look at the disk", command: "dmesg -T | tail")]
            )
        }
    }
}
