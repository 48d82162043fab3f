// SPDX-License-Identifier: Apache-2.0
internal import HookReceiver
internal import KintoCore
internal import Logging
internal import Wire

/// Remembers refused deliveries for the operator, with the cause that the sender is not told. A flood of them costs a counter
/// each: a few of a service are kept in full, then one every ten seconds, which says how many came before it.
actor Refusals {
    /// So many at once, and one more each `interval`.
    static let burst = 20.0
    static let interval = Duration.seconds(10)
    /// Longer bodies are not compared with other secrets: each comparison reads all of it.
    static let examined = 256 << 10

    private let store: Store
    private let logger: Logger
    private var allowances: [String: Allowance] = [:]

    init(store: Store, logger: Logger) {
        self.store = store
        self.logger = logger
    }

    /// Returns before anything is looked for or written: how long an answer takes must not tell what is configured.
    /// - Parameters:
    ///   - name: as the sender wrote it; `service`: nil when there is none of that name.
    ///   - reason: nil: the signature was missing or wrong.
    func note(
        _ delivery: IncomingDelivery, _ name: String, _ service: RegisteredService?, status: Int,
        _ reason: String?
    ) {
        // Names that nobody has share one allowance.
        let whose = service?.name.description ?? ""
        let fresh = Allowance(burst: Refusals.burst, every: Refusals.interval)
        guard let skipped = allowances[whose, default: fresh].take() else { return }
        Task { await keep(delivery, name, service, status: status, reason, skipped: skipped) }
    }

    private func keep(
        _ delivery: IncomingDelivery, _ name: String, _ service: RegisteredService?, status: Int,
        _ reason: String?, skipped: Int
    ) async {
        var cause: String
        if let reason {
            cause = reason
        } else if delivery.body.count > Self.examined {
            cause = "no signature that fits; the body is too long to look for the cause"
        } else {
            let others = service == nil ? [] : (try? await store.services()) ?? []
            cause = RefusalCause.explain(delivery, service, others: others)
        }
        if skipped > 0 { cause += " (and \(skipped) more before it that are not listed)" }
        let provider = service?.provider ?? .generic
        let record = Delivery(
            identifier: "refused-\(Actions.random())",
            service: service?.name.description ?? RefChange.shown(name), provider: provider,
            event: RefChange.shown(RefusalCause.event(delivery)), reference: "", verdict: "refused: \(cause)",
            release: nil, status: status, at: .now)
        logger.notice(
            "delivery refused",
            metadata: ["service": "\(record.service)", "status": "\(status)", "cause": "\(cause)"])
        // Not being able to keep a refusal must not turn it into another answer.
        try? await store.record(record)
    }
}
