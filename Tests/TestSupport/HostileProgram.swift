// SPDX-License-Identifier: Apache-2.0

/// Programs that mean no good, bounded by themselves: a defect of kinto's must not take the machine.
public enum HostileProgram {
    /// Python: at most forty processes, and as many attempts as there is time for. Without single quotes.
    public static let asksForProcesses = """
        import os, time
        end, left = time.time() + 60, 40
        while time.time() < end and left:
            try:
                if os.fork() == 0: time.sleep(60); os._exit(0)
                left -= 1
            except OSError: pass
        time.sleep(60)
        """
}
