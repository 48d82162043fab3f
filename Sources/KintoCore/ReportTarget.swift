// SPDX-License-Identifier: Apache-2.0

/// Where what becomes of releases and scheduled runs is reported.
public struct ReportTarget: Sendable, Equatable {
    public enum Kind: String, Sendable, Codable, CaseIterable {
        /// The commit's status at the forge, by the service's provider.
        case status
        /// A request signed by Standard Webhooks.
        case webhook
        /// A text, as Slack and what imitates it take it.
        case slack
        /// A mail by SMTP.
        case mail
    }

    public var id: Int64
    /// nil: all services.
    public var service: ServiceName?
    public var kind: Kind
    /// Where it is sent; of a status the API's address, empty: that of the forge's own.
    public var url: String
    /// Token of the forge's API, what signs, or the password at the mail server; empty: none.
    public var secret: String
    /// Of a mail, and of nothing else.
    public var mail: MailSettings?

    public init(
        id: Int64 = 0, service: ServiceName?, kind: Kind, url: String, secret: String,
        mail: MailSettings? = nil
    ) {
        self.id = id
        self.service = service
        self.kind = kind
        self.url = url
        self.secret = secret
        self.mail = mail
    }
}
