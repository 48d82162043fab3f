// SPDX-License-Identifier: Apache-2.0
import KintoCore

struct NotAccepted: Error {}

extension Store {
    /// The release that a trigger becomes.
    func acceptRelease(_ new: NewRelease) async throws -> Release {
        guard case .accepted(let accepted) = try await take(new) else { throw NotAccepted() }
        return accepted.release
    }
}
