// SPDX-License-Identifier: Apache-2.0
internal import Glibc
internal import NIOCore

/// Lets a listening socket rest when there is no descriptor or no memory for one connection more: who comes waits in its
/// backlog meanwhile. NIO's own handler for this holds back the next read, but after an accept that failed there is
/// none: the first is still pending, and the kernel is asked again at once. First in the pipeline, on its event loop.
final class AcceptPause: ChannelInboundHandler {
    typealias InboundIn = Channel
    typealias InboundOut = Channel

    /// As long as a proxy's.
    private static let time = TimeAmount.milliseconds(250)

    /// Watches what this channel accepts.
    static func add(to channel: any Channel) async {
        let added = channel.eventLoop.submit {
            try channel.pipeline.syncOperations.addHandler(AcceptPause(), position: .first)
        }
        // Fails when the server ends in this moment.
        try? await added.get()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if let code = (error as? IOError)?.errnoCode, [EMFILE, ENFILE, ENOBUFS, ENOMEM].contains(code) {
            let channel = context.channel
            channel.setOption(.autoRead, value: false).whenSuccess {
                channel.eventLoop.scheduleTask(in: AcceptPause.time) {
                    // Accepts again; fails when it was closed meanwhile.
                    channel.setOption(.autoRead, value: true).whenFailure { _ in }
                }
            }
        }
        context.fireErrorCaught(error)
    }
}
