// SPDX-License-Identifier: Apache-2.0

/// What becomes of a push to a remote repository of which no delivery told.
public enum MissedPushPolicy: String, Sendable, Codable, CaseIterable {
    /// It is deployed, once the service had a delivery at all: before, nobody asked for deploys by push.
    case deploy
    /// It is told.
    case warn
    /// Nobody looks.
    case off
}
