// SPDX-License-Identifier: Apache-2.0

/// Text for a shell, or for a person to paste into one.
public enum ShellWord {
    /// One word that means itself, whatever is in it (POSIX, Shell Command Language, 2.2.2 Single-Quotes).
    public static func quoted(_ text: String) -> String {
        "'" + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
    }
}
