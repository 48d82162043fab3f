// SPDX-License-Identifier: Apache-2.0

/// A service or an environment that is not on record any more, and whose files are still to be removed.
public struct Removal: Sendable, Equatable {
    public let id: Int64
    public let service: ServiceName
    /// nil: the whole service.
    public let environment: EnvironmentName?
    /// A repository of the operator's, which keeps all but the hooks.
    public let localRepository: String?
    /// The names that the service had before.
    public let formerNames: [ServiceName]
    /// Identifiers of artifacts that nothing else has.
    public let artifacts: [String]
}
