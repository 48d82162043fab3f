// SPDX-License-Identifier: Apache-2.0

/// What a service proves to its remote repository, and what the repository has to prove. Kept sealed like secrets.
public struct FetchCredentials: Sendable, Equatable {
    /// A private key in OpenSSH's form, without passphrase.
    public var sshKey: String?
    /// Its public half, as it is entered at the forge.
    public var publicKey: String?
    /// For https; nil: one that the forges accept with a token.
    public var username: String?
    /// Token or password for https.
    public var token: String?
    /// Certificates (PEM) of the authorities that sign the host's; nil: the system's.
    public var authorities: String?

    public init(
        sshKey: String? = nil, publicKey: String? = nil, username: String? = nil, token: String? = nil,
        authorities: String? = nil
    ) {
        self.sshKey = sshKey
        self.publicKey = publicKey
        self.username = username
        self.token = token
        self.authorities = authorities
    }
}
