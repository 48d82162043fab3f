// SPDX-License-Identifier: Apache-2.0
import Glibc
import KintoCore
import Testing
import Wire

@testable import Runner

struct StartCheckTests {
    @Test func whatStartRunsIsSureOnceTheArtifactIsThere() throws {
        let fixture = try GitFixture()
        try fixture.write("a/plain", "x")
        try fixture.write("a/bin/own", "#!/bin/sh\n", mode: 0o755)
        mkdir("\(fixture.root)/a/directory", 0o755)
        func code(_ start: String, path: String = "/usr/bin:/bin") -> String? {
            failureCode {
                try StartCheck.require(
                    Manifest(start: start), in: "\(fixture.root)/a", environment: ["A=b", "PATH=\(path)"])
            }
        }
        for start in [
            "sh run", "bin/own", "./bin/own -x", "exec bin/own", "A=b ./bin/own", "/bin/sh -c x", "cd x",
            "$X", "missing || sh",
            "'missing'", "./missing; sh", "python3 missing.py", "./bin/* x",
        ] { #expect(code(start) == nil, "\(start)") }
        for start in [
            "missing", "own", "./missing", "bin/missing", "/missing/x", "exec missing", "missing && sh",
            "A=b missing",
        ] {
            #expect(code(start) == "start-not-found", "\(start)")
        }
        for start in ["./plain", "./directory"] { #expect(code(start) == "start-not-executable", "\(start)") }
        #expect(code("own", path: "bin:/bin") == nil)
        #expect(code("sh", path: "/nowhere") == "start-not-found")
        let failure = #expect(throws: Failure.self) {
            try StartCheck.require(Manifest(start: "./missing"), in: "\(fixture.root)/a", environment: [])
        }
        #expect(failure?.evidence == ["in its directory: bin, directory, plain"])
        // What runs when it is due, too.
        var manifest = Manifest(start: "./bin/own")
        for (command, what) in [
            ("./missing --all", "which is not in the artifact"), ("missing", "'missing'"),
        ] {
            var type = Manifest.ProcessType(command: command)
            type.schedule = "@daily"
            manifest.processes = ["nightly": type]
            let failure = #expect(throws: Failure.self) {
                try StartCheck.require(manifest, in: "\(fixture.root)/a", environment: ["PATH=/bin"])
            }
            #expect(failure?.code == "start-not-found")
            #expect(failure?.message.hasPrefix("process nightly runs ") == true, "\(failure?.message ?? "")")
            #expect(failure?.message.contains(what) == true, "\(failure?.message ?? "")")
        }
    }
}
