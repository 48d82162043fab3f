// SPDX-License-Identifier: Apache-2.0

/// What a parser makes of one message.
struct ReadMessage: Equatable {
    struct Field: Hashable, CustomStringConvertible {
        /// Lower case.
        let name: [UInt8]
        let value: [UInt8]

        var description: String { "\(text(name)): \(text(value))" }
    }

    /// Method and target, or status and reason.
    var first: [UInt8] = []
    var second: [UInt8] = []
    var fields: [Field] = []
    var body: [UInt8] = []
    var trailers: [Field] = []

    func values(_ name: String) -> [[UInt8]] {
        fields.filter { $0.name.elementsEqual(name.utf8) }.map(\.value)
    }
}

/// Bytes for people.
func text(_ bytes: some Sequence<UInt8>) -> String {
    bytes.reduce(into: "") { text, byte in
        switch byte {
        case 0x0D: text += "\\r"
        case 0x0A: text += "\\n"
        case 0x20..<0x7F: text.unicodeScalars.append(Unicode.Scalar(byte))
        default: text += "\\x" + String(byte, radix: 16)
        }
    }
}

/// Random numbers that come again with their seed.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    /// The seed is what is in the bytes.
    init(_ bytes: [UInt8]) {
        state = bytes.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
