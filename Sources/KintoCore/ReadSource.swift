// SPDX-License-Identifier: Apache-2.0
internal import Dispatch
public import Wire

/// Calls back whenever a descriptor can be read, until it is cancelled. The descriptor lives as long as this does.
// Proof: the source is made here, never changed but by activate and cancel, which libdispatch allows from any thread.
public final class ReadSource: @unchecked Sendable {
    private let source: any DispatchSourceRead

    /// - Parameter body: called on a queue of its own, one call at a time; the first time at once.
    public init(_ descriptor: Descriptor, _ body: @escaping @Sendable () -> Void) {
        let queue = DispatchQueue(label: "kinto.read")
        source = DispatchSource.makeReadSource(fileDescriptor: descriptor.raw, queue: queue)
        source.setEventHandler(handler: body)
        source.setCancelHandler { _ = descriptor }
        source.activate()
        queue.async(execute: body)
    }

    public func cancel() { source.cancel() }

    deinit { source.cancel() }
}
