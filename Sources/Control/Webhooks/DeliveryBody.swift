// SPDX-License-Identifier: Apache-2.0
internal import Hummingbird
internal import KintoCore
internal import NIOCore

/// Reads the bodies of deliveries: bounded in bytes, in time and, for long ones, in number, since nobody has proved anything
/// yet when they are read.
struct DeliveryBody: Sendable {
    /// GitHub's own cap of what it sends.
    static let limit = 25 << 20
    /// Bodies up to so many bytes are read at once with any number of others.
    static let short = 1 << 20
    /// One longer one is read and decided on at a time.
    private static let long = Places(1)
    /// For the first ``short`` bytes, and for the whole.
    static let shortTime = Duration.seconds(15)
    static let time = Duration.seconds(60)

    enum Trouble: Error {
        /// More than ``limit``.
        case tooLong
        /// Not there in time.
        case tooSlow
    }

    /// Calls `decide` with the whole body; a long one keeps its place until then.
    /// - Throws: `Trouble`, and what `decide` throws.
    static func read<Answer: Sendable>(
        _ request: Request, _ decide: @escaping @Sendable ([UInt8]) async throws -> Answer
    ) async throws -> Answer {
        let announced = request.headers[.contentLength].flatMap { Int($0) }
        if let announced, announced > limit { throw Trouble.tooLong }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(min(announced ?? 0, short))
        var iterator = request.body.makeAsyncIterator()
        let began = ContinuousClock.now
        while bytes.count <= short, let chunk = try await iterator.next() {
            bytes.append(contentsOf: chunk.readableBytesView)
            if ContinuousClock.now - began > shortTime { throw Trouble.tooSlow }
        }
        guard bytes.count > short else { return try await decide(bytes) }
        // Until there is one, nothing more is taken from the connection.
        await long.take()
        do {
            try await rest(&bytes, &iterator, announced, began)
            let answer = try await decide(bytes)
            await long.free()
            return answer
        } catch {
            await long.free()
            throw error
        }
    }

    private static func rest(
        _ bytes: inout [UInt8], _ iterator: inout RequestBody.AsyncIterator, _ announced: Int?,
        _ began: ContinuousClock.Instant
    ) async throws {
        bytes.reserveCapacity(min(announced ?? limit, limit))
        while let chunk = try await iterator.next() {
            guard bytes.count + chunk.readableBytes <= limit else { throw Trouble.tooLong }
            bytes.append(contentsOf: chunk.readableBytesView)
            if ContinuousClock.now - began > time { throw Trouble.tooSlow }
        }
    }
}

/// So many at a time; the others wait in the order in which they came.
private actor Places {
    private var left: Int
    private var line: [CheckedContinuation<Void, Never>] = []

    init(_ count: Int) { left = count }

    func take() async {
        if left > 0 {
            left -= 1
        } else {
            await withCheckedContinuation { line.append($0) }
        }
    }

    func free() {
        if line.isEmpty {
            left += 1
        } else {
            line.removeFirst().resume()
        }
    }
}
