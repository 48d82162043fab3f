// SPDX-License-Identifier: Apache-2.0
internal import Glibc

/// What the process of the tests needs to be.
public enum TestProcess {
    /// To be read before anything is written to who may be gone: SIGPIPE ends the whole run, in the middle and without a
    /// word. Not ignored, for programs that are started would ignore it, too (execve(2)).
    public static let outlivesItsReaders: Bool = {
        var action = sigaction()
        action.__sigaction_handler.sa_handler = { _ in }
        action.sa_flags = SA_RESTART
        return sigaction(SIGPIPE, &action, nil) == 0
    }()
}
