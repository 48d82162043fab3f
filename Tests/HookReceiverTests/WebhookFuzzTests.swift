// SPDX-License-Identifier: Apache-2.0
import Foundation
import KintoCore
import TestSupport
import Testing
import Wire

@testable import HookReceiver

/// Scenario 29: changed payloads and headers. `KINTO_FUZZ=1000000` says how many; what it finds goes into Payloads/found and is
/// tried first from then on.
struct WebhookFuzzTests {
    private let index = PayloadIndex.shared

    @Test func changedDeliveriesNeverTrapHangOrDeployWhatIsNotTheirs() throws {
        let runs = ProcessInfo.processInfo.environment["KINTO_FUZZ"].flatMap { Int($0) } ?? 10_000
        let seed = UInt64(ProcessInfo.processInfo.environment["KINTO_FUZZ_SEED"] ?? "") ?? 1
        let environment = RegisteredEnvironment(
            target: Target(service: try ServiceName("hello")), branch: "main")
        let service = RegisteredService(
            name: environment.target.service, source: .remote, repository: "", createdAt: .now,
            provider: .generic, webhookSecret: "a secret of some length")
        var mutator = try PayloadMutator(index.payloads.map(\.body), seed: seed)
        var slowest = Duration.zero
        var deployed = 0
        for run in 0..<runs {
            let body = mutator.next()
            let payload = index.payloads[run % index.payloads.count]
            let headers = changed(index.delivery(payload, body: payload.body), payload, &mutator.random)
            let delivery = IncomingDelivery(headers, body: body)
            let began = ContinuousClock.now
            // The signature is that of the payload as it was: a token, which signs no body, is another matter.
            if payload.sender != .gitlab, body != payload.body {
                #expect(!WebhookSignature.isValid(delivery, payload.sender, secrets: [index.secret]))
            }
            #expect(!RefusalCause.explain(delivery, service, others: []).isEmpty)
            // From somebody who has the secret.
            for provider in [payload.sender, Provider.allCases[run % Provider.allCases.count]] {
                do {
                    let event = try ForgeEvent.read(delivery, provider)
                    guard case .deploy(let change) = DeliveryDecision(event, for: environment) else {
                        continue
                    }
                    deployed += 1
                    #expect(change.reference == "refs/heads/main")
                    #expect(change.commit.map { !$0.isZero } ?? (provider == .generic))
                } catch { #expect(["malformed", "unsupported-media-type"].contains(error.code)) }
            }
            slowest = max(slowest, ContinuousClock.now - began)
        }
        #expect(slowest < .seconds(60))
        // It is a test of something: some of what was changed still is a push of the branch.
        #expect(runs < 1000 || deployed > 0)
        if runs > 10_000 { print("\(runs) deliveries, \(deployed) of them deploy main, slowest \(slowest)") }
    }

    /// The provider's headers with some of them gone, twice, or of other values.
    private func changed(
        _ delivery: IncomingDelivery, _ payload: PayloadIndex.Payload, _ random: inout SplitMix
    ) -> [(String, String)] {
        var headers = index.headers(
            payload.provider, event: payload.eventHeader.values.first ?? "", body: payload.body,
            secret: index.secret)
        for _ in 0..<Int.random(in: 0...2, using: &random) {
            guard let number = headers.indices.randomElement(using: &random) else { break }
            switch Int.random(in: 0..<6, using: &random) {
            case 0: headers.remove(at: number)
            case 1: headers.append(headers[number])
            case 2: headers[number].1 = ""
            case 3:
                headers[number].1 = String(repeating: "x", count: Int.random(in: 1...9000, using: &random))
            case 4: headers[number].1 = "sha256=" + String(repeating: "é", count: 32)
            default:
                headers.append(
                    ["Content-Type", "X-Kinto-Event", "X-GitHub-Event", "Authorization", "X-Signature"].map {
                        ($0, "application/x-www-form-urlencoded")
                    }[Int.random(in: 0..<5, using: &random)])
            }
        }
        return headers
    }
}
