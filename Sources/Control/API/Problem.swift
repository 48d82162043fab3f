// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import Hummingbird
internal import KintoCore
internal import NIOCore
internal import Runner

/// An error as RFC 9457 problem details.
struct Problem: Error, HTTPResponseError {
    let status: HTTPResponse.Status
    let failure: Failure

    /// More of them than belong to the status.
    let headers: HTTPFields

    /// The status that belongs to the failure's code.
    init(_ failure: Failure, headers: HTTPFields = [:]) {
        self.failure = failure
        self.headers = headers
        status =
            switch failure.code {
            case "unknown-service", "unknown-release", "unknown-delivery", "unknown-report", "unknown-path",
                "unknown-certificate", "unknown-account", "unknown-run":
                .notFound
            case "invalid-name", "invalid-pattern", "malformed", "invalid-config", "invalid-repository",
                "invalid-secret", "invalid-request", "invalid-password":
                .badRequest
            case "method-not-allowed": .methodNotAllowed
            case "body-too-slow": .requestTimeout
            case "body-too-large": .contentTooLarge
            case "unsupported-media-type": .unsupportedMediaType
            case "too-many-refusals": .tooManyRequests
            case "unauthorized": .unauthorized
            case "local-only", "forbidden": .forbidden
            case "disk-full", "too-many-files": .serviceUnavailable
            case let code where code.hasPrefix("store-"): .serviceUnavailable
            case "internal": .internalServerError
            default: .conflict
            }
    }

    static func wrap(_ error: any Error) -> Problem {
        switch error {
        case let problem as Problem: problem
        default: Problem(Lanes.failure(error))
        }
    }

    private struct Body: Encodable {
        let type: String
        let title: String
        let status: Int
        let detail: String
        let code: String
        let hints: [Failure.Hint]
        let evidence: [String]
    }

    func response(from request: Request, context: some RequestContext) throws -> Response {
        let body = Body(
            type: "about:blank", title: status.reasonPhrase, status: status.code, detail: failure.message,
            code: failure.code, hints: failure.hints, evidence: failure.evidence)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        var headers = headers
        headers[.contentType] = "application/problem+json"
        if status == .serviceUnavailable, headers[.retryAfter] == nil { headers[.retryAfter] = "5" }
        if status == .unauthorized { headers[.wwwAuthenticate] = "Bearer" }
        return Response(
            status: status, headers: headers,
            body: .init(byteBuffer: ByteBuffer(bytes: try encoder.encode(body))))
    }
}
