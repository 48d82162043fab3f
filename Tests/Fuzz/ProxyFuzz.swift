// SPDX-License-Identifier: Apache-2.0

/// libFuzzer's door: an input is what a visitor or an instance sends. What it finds ends the process, with the input
/// kept in a file; put into `Corpus`, it is a test from then on.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
    let bytes = Array(UnsafeBufferPointer(start: start, count: count))
    if let problem = MessageInvariants.problem(in: bytes) { fatalError("\(problem): \(text(bytes))") }
    return 0
}
