// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing

/// The tour of examples/shop: two services of one repository, staging and production, promoted, broken and rolled back under
/// load.
@Suite(.timeLimit(.minutes(10)))
struct ShopTests {
    @Test func theTourLosesNoRequest() async throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let done = try await Command.run(
            root.appending(path: "examples/shop/tour").path, [], environment: Products.environment())
        #expect(done.status == 0, "\(done.output.suffix(6000))")
        #expect(done.output.contains("all of it was so"))
    }
}
