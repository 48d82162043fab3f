// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing

/// The consoles of the instances of a release on its page, as a browser without scripts gets them.
struct ConsolePageTests {
    @Test func anyInstancesConsoleCanBeChosen() async throws {
        try await Server.with { server in
            let worker =
                #"echo "here is $KINTO_INSTANCE"; test $KINTO_INSTANCE = worker.1 || echo "error: not so good"; exec sleep 1000000"#
            let settings = try JSONSerialization.data(withJSONObject: [
                "start": "echo the w''eb; exec python3 server.py",
                "processes": ["worker": ["command": worker, "instances": 2, "stable": "10ms"]],
                "rollout": ["warm": "0s", "watch": "0s", "stop": ["grace": "5s"]],
            ])
            try await server.setUp(String(decoding: settings, as: UTF8.self))
            try await server.push("first")
            let visitor = try await Visitor(server, ["token": server.adminToken])
            let place = "/services/hello/production/releases/1"
            func page(_ query: String, shows text: String) async throws -> String {
                var page = ""
                // What was printed is written a moment later.
                try await server.until {
                    page = try await visitor.get(place + query).text
                    return page.contains(text)
                }
                return page
            }
            let main = try await page("", shows: "the web")
            #expect(!main.contains("here is worker") && main.contains(">Console log</h2>"))
            for name in ["web.1", "worker.1", "worker.2"] {
                #expect(main.contains(#"<a href="\#(place)?process=\#(name)#console""#), "\(main)")
            }
            let second = try await page("?process=worker.2", shows: "here is worker.2")
            #expect(!second.contains("the web") && second.contains(">Console log of worker.2</h2>"))
            #expect(second.contains(#"<a href="\#(place)?process=worker.2#console" aria-current="true">"#))
            #expect(
                second.contains(#"data-log="\#(place)/console/stream?process=worker.2&amp;""#), "\(second)")
            #expect(second.contains(#"<input type="hidden" name="process" value="worker.2">"#))
            // A type alone is its first; a line of it can be linked to, and it can be searched.
            _ = try await page("?process=worker", shows: "here is worker.1")
            _ = try await page("?process=worker.2&console=1", shows: "here is worker.2")
            let found = try await page(
                "?process=worker.2&in=console&find=here", shows: "worker.2&amp;console=1#C1")
            #expect(found.contains(#"class="found""#))
            _ = try await page("?process=worker.2&console=2", shows: "not so good")
            let error = try await visitor.get("\(place)/console/first-error?process=worker.2")
            #expect(error.status == 303)
            #expect(error.headers["location"] == ["\(place)?process=worker.2&console=2#C2"])
            let none = try await visitor.get("\(place)/console/first-error?process=worker.1")
            #expect(none.headers["location"] == ["\(place)?process=worker.1&seen=no-error#console"])
            let file = try await visitor.get("\(place)/console?process=worker.2")
            #expect(file.text.contains("here is worker.2"))
            #expect(
                file.headers["content-disposition"]?.first?.contains("hello-1-console-worker.2.txt") == true)
            for bad in ["worker.0", "../release", "a.b.c", "worker.1%0A", "%3Cb%3E"] {
                #expect(try await visitor.get("\(place)?process=\(bad)").status == 400, "\(bad)")
                #expect(try await visitor.get("\(place)/console?process=\(bad)").status == 400, "\(bad)")
            }
            let stream = try await visitor.stream(
                "\(place)/console/stream?process=worker.2&after=0", until: "not so good")
            #expect(stream.contains("here is worker.2") && !stream.contains("here is worker.1"))
            // Of a release that is over its logs tell whose there are.
            try await server.push("second")
            let over = try await page("?process=worker.1", shows: "here is worker.1")
            #expect(over.contains("?process=worker.2#console"))
        }
    }
}
