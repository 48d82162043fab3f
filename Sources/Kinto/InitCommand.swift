// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Foundation
internal import Glibc
internal import KintoCore

struct Init: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Write a kinto.json for what a project plainly is.",
        discussion: """
            Known are Node.js, Python, Ruby, Go, Rust, Swift, Java, PHP, and pages without a program, by their files: nothing
            is run. The file is shown, and written if there is none. A project with a Procfile needs none.

            EXAMPLES:
              kinto init
              kinto init services/api
              kinto init --print          only show it
            """)
    @Argument(help: "Where the project lies.") var directory = "."
    @Flag(help: "Show it, and write nothing.") var print = false

    func run() throws {
        let path = "\(directory)/kinto.json"
        var isDirectory: ObjCBool = false
        guard FileManager.default.fileExists(atPath: directory, isDirectory: &isDirectory),
            isDirectory.boolValue
        else { throw refused("\(directory) is not a directory") }
        var status = stat()
        if lstat(path, &status) == 0, !print {
            throw refused("\(path) is there already; look at it with: kinto check \(directory)")
        }
        if FileManager.default.fileExists(atPath: "\(directory)/Procfile"), !print {
            throw refused(
                "there is a Procfile, which kinto reads: nothing is needed; see: kinto check \(directory)")
        }
        guard let found = Detection.of(ProjectFiles(directory: directory)) else {
            throw refused(
                "nothing that is known lies in \(directory); write a kinto.json: the smallest one is { \"start\": \"./server\" }"
            )
        }
        guard let settings = found.settings else {
            throw refused(
                "it looks like \(Output.safe(found.words)), and nothing says plainly what starts it; write a kinto.json: { \"start\": \"…\" }"
            )
        }
        if print { return Output.write(Array(settings.utf8)) }
        Output.line("-----> \(Output.safe(found.words))")
        Output.write(Array(settings.utf8))
        try write(settings, to: path)
        Output.line("       written to \(path): look at it, then commit and push it")
    }

    /// Only where there is nothing, not even a link.
    private func write(_ text: String, to path: String) throws {
        let file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o644)
        guard file >= 0 else {
            throw refused("\(path) cannot be written: \(String(cString: strerror(errno)))")
        }
        let handle = FileHandle(fileDescriptor: file, closeOnDealloc: true)
        do { try handle.write(contentsOf: Data(text.utf8)) } catch {
            unlink(path)
            throw refused("\(path) cannot be written: \(error.localizedDescription)")
        }
    }

    private func refused(_ text: String) -> ExitCode {
        Output.trouble(text)
        return ExitCode(3)
    }
}
