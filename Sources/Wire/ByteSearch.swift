// SPDX-License-Identifier: Apache-2.0
internal import CLinux

extension UnsafeRawBufferPointer {
    /// Where a text is first, at `start` or later (memmem(3)); nil: nowhere, or it is empty.
    public func find(_ text: [UInt8], from start: Int = 0) -> Int? {
        guard !text.isEmpty, start < count, let base = baseAddress,
            let found = kinto_find(base + start, count - start, text, text.count)
        else { return nil }
        return found - base
    }
}
