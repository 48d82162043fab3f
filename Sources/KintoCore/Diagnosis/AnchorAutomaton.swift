// SPDX-License-Identifier: Apache-2.0

/// Finds which patterns' anchors are in a line, in one step for each byte, however many there are (Aho and Corasick, with
/// a table of all steps).
struct AnchorAutomaton: Sendable {
    /// Patterns with an anchor that ends at a state.
    private var found: [[Int32]] = [[]]
    /// The next state by state and class of byte.
    private var steps: [Int32]
    /// Bytes that are in no anchor are all of class 0.
    private var classes = [UInt8](repeating: 0, count: 256)
    private let width: Int

    init(_ anchors: [[UInt8]]) {
        var width = 1
        for byte in anchors.joined() where classes[Int(byte)] == 0 {
            classes[Int(byte)] = UInt8(width)
            width += 1
        }
        self.width = width
        steps = [Int32](repeating: -1, count: width)
        for (index, anchor) in anchors.enumerated() where !anchor.isEmpty {
            var at = 0
            for byte in anchor {
                let step = at * width + Int(classes[Int(byte)])
                if steps[step] < 0 {
                    steps[step] = Int32(found.count)
                    found.append([])
                    steps += [Int32](repeating: -1, count: width)
                }
                at = Int(steps[step])
            }
            found[at].append(Int32(index))
        }
        connect()
    }

    /// From the root outwards: a step that an anchor does not take leads where the longest other beginning leads.
    private mutating func connect() {
        var fallback = [Int32](repeating: 0, count: found.count)
        var queue: [Int] = []
        for byte in 0..<width {
            if steps[byte] > 0 { queue.append(Int(steps[byte])) } else { steps[byte] = 0 }
        }
        var head = 0
        while head < queue.count {
            let at = queue[head]
            head += 1
            found[at] += found[Int(fallback[at])]
            for byte in 0..<width {
                let elsewhere = steps[Int(fallback[at]) * width + byte]
                let next = steps[at * width + byte]
                if next >= 0 {
                    fallback[Int(next)] = elsewhere
                    queue.append(Int(next))
                } else {
                    steps[at * width + byte] = elsewhere
                }
            }
        }
    }

    /// Tells the patterns whose anchor is in the line, each once, in the order of their anchors' first ends.
    func candidates(_ line: [UInt8]) -> [Int] {
        var state: Int32 = 0
        var out: [Int] = []
        steps.withUnsafeBufferPointer { steps in
            classes.withUnsafeBufferPointer { classes in
                for byte in line {
                    let folded = LogLineText.folded(byte)
                    state = steps[Int(state) * width + Int(classes[Int(folded)])]
                    guard state != 0, !found[Int(state)].isEmpty else { continue }
                    for pattern in found[Int(state)] where !out.contains(Int(pattern)) {
                        out.append(Int(pattern))
                    }
                }
            }
        }
        return out
    }
}
