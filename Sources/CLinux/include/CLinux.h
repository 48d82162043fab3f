// SPDX-License-Identifier: Apache-2.0
#ifndef KINTO_CLINUX_H
#define KINTO_CLINUX_H
#include <stdint.h>
#include <sys/types.h>

/// pidfd_open(2): a descriptor that refers to the process `pid`; -1 and errno on failure.
int kinto_pidfd_open(pid_t pid);
/// pidfd_send_signal(2); 0, or -1 and errno.
int kinto_pidfd_send_signal(int pidfd, int signal);

/// What to start: see kinto_spawn.
struct kinto_spawn_options {
    const char *path;             ///< program, absolute
    char *const *argv;            ///< NULL-terminated
    char *const *envp;            ///< NULL-terminated, exact
    const char *working_directory;///< NULL: unchanged
    int stdin_fd, stdout_fd, stderr_fd; ///< -1: /dev/null
    int new_session;              ///< setsid(2) in the child
    pid_t *pid;                   ///< out
};
/// Starts a program with exactly the three given descriptors, default signal handling and an empty
/// signal mask. Every other descriptor is closed in the child. Returns 0 or an errno value.
int kinto_spawn(const struct kinto_spawn_options *options);

/// prctl(PR_SET_CHILD_SUBREAPER): orphaned descendants become children of this process. 0 or -1 and errno.
int kinto_set_child_subreaper(void);

/// One listening TCP socket.
struct kinto_listener {
    uint32_t inode;
    uint16_t port;     ///< host byte order
    uint8_t family;    ///< 4 or 6
    uint8_t address[16]; ///< network byte order; the first 4 bytes for IPv4
};
/// All listening TCP sockets of this network namespace (sock_diag(7)), or only those on `port` when it
/// is not 0. Fills at most `capacity`, returns the number found (may be larger), or -1 and errno.
int kinto_listeners(uint16_t port, struct kinto_listener *out, int capacity);

/// The peer of a connected unix socket (SO_PEERCRED). 0, or -1 and errno.
int kinto_peer_credentials(int fd, pid_t *pid, uid_t *uid, gid_t *gid);

/// The text of an errno value, always ended by NUL; thread-safe (strerror_r(3)).
void kinto_strerror(int code, char *buffer, size_t size);

#endif
