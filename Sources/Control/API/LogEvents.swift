// SPDX-License-Identifier: Apache-2.0
internal import Hummingbird
internal import KintoCore
internal import NIOCore
internal import Wire

/// A log as Server-Sent Events: `line`, each with its number in the log as id, and `end`. It is followed until it is over. A
/// reader that comes again goes on after the last line that it had; a number stays that of its line when the log is rotated.
struct LogEvents: Sendable {
    let path: String
    /// nil: what is there now.
    let watch: LogWatch?
    let times: Bool

    func response(after last: Int64, _ context: APIServer.Context) -> Response {
        EventStream.response(context) { write in
            var number = Int64(LogReader.linesBefore(path))
            let text = LogText(times: times, isTerminal: false)
            // The beat is missing here: a log that is silent is looked after by TCP's own.
            try await LogFollower(path: path, watch: watch, text: text).read { chunk in
                var out = ByteBuffer()
                for line in chunk.readableBytesView.split(
                    separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false
                ).dropLast() {
                    number += 1
                    guard number > last else { continue }
                    out.writeString("id: \(number)\nevent: line\ndata: ")
                    out.writeBytes(line)
                    out.writeString("\n\n")
                }
                if out.readableBytes > 0 { try await write(out) }
            }
            try await write(ByteBuffer(string: EventStream.event("end", "{}")))
        }
    }
}
