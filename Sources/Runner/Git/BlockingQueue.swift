// SPDX-License-Identifier: Apache-2.0
internal import Glibc

/// A queue between threads that may block: `push` waits while it is full, `pop` while it is empty. Never to
/// be used from the cooperative pool unless `capacity` is without bound, and `pop` never there.
final class BlockingQueue<Element: Sendable>: @unchecked Sendable {
    // Proof: the two pthread objects need a fixed address, and `elements` and `isClosed` are only touched
    // with `mutex` held.
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let changed: UnsafeMutablePointer<pthread_cond_t>
    private let capacity: Int
    private var elements: [Element?] = []
    private var head = 0
    private var isClosed = false

    init(capacity: Int = .max) {
        self.capacity = capacity
        mutex = .allocate(capacity: 1)
        changed = .allocate(capacity: 1)
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(changed, nil)
    }

    deinit {
        pthread_cond_destroy(changed)
        pthread_mutex_destroy(mutex)
        changed.deallocate()
        mutex.deallocate()
    }

    private var count: Int { elements.count - head }

    /// Adds an element at the end. False, and nothing added, once the queue is closed.
    @discardableResult
    func push(_ element: Element) -> Bool {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        while count >= capacity, !isClosed { pthread_cond_wait(changed, mutex) }
        if isClosed { return false }
        elements.append(element)
        pthread_cond_broadcast(changed)
        return true
    }

    /// The oldest element; nil when the queue is closed and empty.
    func pop() -> Element? {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        while count == 0, !isClosed { pthread_cond_wait(changed, mutex) }
        guard count > 0 else { return nil }
        let element = elements[head]
        elements[head] = nil
        head += 1
        if head == elements.count || head >= 1024 {
            elements.removeFirst(head)
            head = 0
        }
        pthread_cond_broadcast(changed)
        return element
    }

    /// No more elements come. Those that are in it are still given out, unless they are to be dropped.
    func close(dropping: Bool = false) {
        pthread_mutex_lock(mutex)
        isClosed = true
        if dropping {
            elements.removeAll()
            head = 0
        }
        pthread_cond_broadcast(changed)
        pthread_mutex_unlock(mutex)
    }
}
