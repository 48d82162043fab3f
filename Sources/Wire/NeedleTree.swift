// SPDX-License-Identifier: Apache-2.0

/// All that is looked for in one automaton (Aho and Corasick): one step for each byte of output, however many needles
/// there are.
struct NeedleTree {
    /// One place in the tree: the bytes on the way to it are the beginning of a needle.
    struct Node {
        fileprivate(set) var byte: UInt8 = 0
        /// Bytes on the way to it.
        fileprivate(set) var depth: Int32 = 0
        fileprivate var child: Int32 = -1
        fileprivate var sibling: Int32 = -1
        /// The longest other beginning that ends here.
        fileprivate(set) var fallback: Int32 = 0
        /// The length of the longest needle that ends here; 0: none.
        fileprivate(set) var match: Int32 = 0
        /// Line ends on the way on from here do not count.
        fileprivate(set) var isWrapped = false
    }

    private(set) var nodes = [Node()]
    private var roots = [Int32](repeating: 0, count: 256)
    /// Whether a needle begins with these two bytes.
    private(set) var pairs = [Bool](repeating: false, count: 1 << 16)
    private(set) var longest = 0

    var isEmpty: Bool { nodes.count == 1 }

    init(_ forms: Set<SecretForms.Form>) {
        for form in forms where form.bytes.count >= 2 { insert(form) }
        connect()
    }

    private mutating func insert(_ form: SecretForms.Form) {
        let bytes = form.bytes
        pairs[Int(bytes[0]) << 8 | Int(bytes[1])] = true
        longest = max(longest, bytes.count)
        var at: Int32 = 0
        for byte in bytes {
            var next = child(of: at, byte)
            if next < 0 {
                next = Int32(nodes.count)
                var node = Node()
                node.byte = byte
                node.depth = nodes[Int(at)].depth + 1
                if at == 0 {
                    roots[Int(byte)] = next
                } else {
                    node.sibling = nodes[Int(at)].child
                    nodes[Int(at)].child = next
                }
                nodes.append(node)
            }
            at = next
            if form.mayBeWrapped { nodes[Int(at)].isWrapped = true }
        }
        nodes[Int(at)].match = Int32(bytes.count)
    }

    /// -1: there is none.
    private func child(of node: Int32, _ byte: UInt8) -> Int32 {
        if node == 0 { return roots[Int(byte)] > 0 ? roots[Int(byte)] : -1 }
        var at = nodes[Int(node)].child
        while at >= 0 {
            if nodes[Int(at)].byte == byte { return at }
            at = nodes[Int(at)].sibling
        }
        return -1
    }

    /// From the root outwards: the fallback of a node is known when its children are looked at.
    private mutating func connect() {
        var queue = roots.filter { $0 > 0 }
        var head = 0
        while head < queue.count {
            let at = queue[head]
            head += 1
            var below = nodes[Int(at)].child
            while below >= 0 {
                let fallback = step(from: nodes[Int(at)].fallback, nodes[Int(below)].byte)
                nodes[Int(below)].fallback = fallback
                nodes[Int(below)].match = max(nodes[Int(below)].match, nodes[Int(fallback)].match)
                queue.append(below)
                below = nodes[Int(below)].sibling
            }
        }
    }

    /// Whether the byte goes on with what led to the node.
    func goesOn(_ node: Int32, _ byte: UInt8) -> Bool { child(of: node, byte) >= 0 }

    /// Where the byte leads.
    func step(from node: Int32, _ byte: UInt8) -> Int32 {
        var at = node
        while true {
            let next = child(of: at, byte)
            if next >= 0 { return next }
            if at == 0 { return 0 }
            at = nodes[Int(at)].fallback
        }
    }
}
