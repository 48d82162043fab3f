// SPDX-License-Identifier: Apache-2.0
import Glibc
import HTTPClient
import TestSupport
import Testing
import Wire

/// What an operator's address leads to is somebody else's choice.
struct MetadataAddressTests {
    @Test(arguments: [
        ("169.254.169.254", true), ("169.254.0.1", true), ("fe80::1", true), ("febf::1", true),
        ("::ffff:169.254.169.254", true), ("64:ff9b::a9fe:a9fe", true), ("fd00:ec2::254", true),
        ("100.100.100.200", true), ("127.0.0.1", false), ("10.0.0.1", false), ("192.168.1.1", false),
        ("::1", false), ("fd00:ec2::253", false), ("fec0::1", false), ("169.253.255.255", false),
        ("169.255.0.0", false), ("no address", false),
    ])
    func itIsOneOfThoseOfALink(_ address: String, isOne: Bool) {
        #expect(MetadataAddress.contains(address) == isOne)
        #expect((MetadataAddress.behind(address) != nil) == isOne)
    }

    /// However it is written, and before anything is sent: nobody answers there, which would take its time to be found.
    @Test(arguments: [
        "http://169.254.169.254/latest", "http://2852039166/", "http://0xa9fea9fe/",
        "http://[::ffff:169.254.169.254]/",
        "http://[fe80::1]/",
    ])
    func nothingIsSentThere(_ url: String) async throws {
        let error = await #expect(throws: HTTPClient.TransportError.self) {
            try await HTTPClient.answer(.init("POST", url: url, body: [1], timeout: 10_000), limit: 10)
        }
        #expect(
            error?.description.contains("an address of this link or of its cloud") == true,
            "\(String(describing: error))")
    }

    @Test func noMailEither() async throws {
        let error = await #expect(throws: HTTPClient.TransportError.self) {
            try await SMTPClient.send(
                .init(
                    url: "smtp://169.254.169.254:25", needsTLS: false, authorities: nil, user: nil,
                    password: "",
                    sender: "a@example.com", recipients: ["b@example.com"], allowsRefusedRecipients: false,
                    message: [], timeout: 10_000))
        }
        #expect(error?.description.contains("169.254.169.254 is an address of this link") == true)
    }
}
