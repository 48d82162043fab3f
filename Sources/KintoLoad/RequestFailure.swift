// SPDX-License-Identifier: Apache-2.0

/// Why a request has no good answer.
struct RequestFailure: Error {
    /// `connect`, `stale` (a kept connection was closed under the request), `closed`, `truncated`, `timeout`,
    /// `malformed`, `unsolicited`, `mixed-up` (another answer than this request's), or `status-NNN`.
    let kind: String
    let detail: String

    init(_ kind: String, _ detail: String) {
        self.kind = kind
        self.detail = detail
    }
}
