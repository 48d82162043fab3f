// SPDX-License-Identifier: Apache-2.0

/// What a newer trigger of a service does to those before it.
public enum QueuePolicy: String, Sendable, Codable, CaseIterable {
    /// The running one finishes; of those that wait only the newest is deployed.
    case wait
    /// The running one is aborted, unless its swap has begun; of those that wait only the newest is deployed.
    case cancel
    /// Each is deployed, in the order of acceptance.
    case every
}
