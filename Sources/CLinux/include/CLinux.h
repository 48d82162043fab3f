// SPDX-License-Identifier: Apache-2.0
#ifndef KINTO_CLINUX_H
#define KINTO_CLINUX_H
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/types.h>

/// pidfd_open(2): a descriptor that refers to the process `pid`; -1 and errno on failure.
int kinto_pidfd_open(pid_t pid);
/// pidfd_send_signal(2); 0, or -1 and errno.
int kinto_pidfd_send_signal(int pidfd, int signal);
/// Has this thread, and what it starts, come after the others: `nice` is added to what it has, and when it wakes up it
/// interrupts nobody (SCHED_BATCH).
void kinto_give_way(int nice);
/// Has the thread `pid`, and what it starts, run in the time that nobody else wants (SCHED_IDLE, sched(7)). 0, or -1 and errno.
int kinto_come_last(pid_t pid);
/// Has this thread, and what it starts, ask for the processor for so many nanoseconds at a time: the kernel lets it interrupt
/// what asked for more. Neither more nor less of the processor in all. Ignored before Linux 6.12. 0, or -1 and errno.
int kinto_run_shortly(uint64_t nanoseconds);

/// How many heaps malloc(3) may have beside each other (M_ARENA_MAX of mallopt(3)); none of them is given up again.
void kinto_limit_heaps(int most);

/// memmem(3), which Swift's Glibc leaves out: where `text` first is in `space`; NULL when it is not.
const void *kinto_find(const void *space, size_t size, const void *text, size_t length);

/// What to start: see kinto_spawn.
struct kinto_spawn_options {
    const char *path;             ///< program, absolute
    char *const *argv;            ///< NULL-terminated
    char *const *envp;            ///< NULL-terminated, exact
    const char *working_directory;///< NULL: unchanged
    int stdin_fd, stdout_fd, stderr_fd; ///< -1: /dev/null
    int new_session;              ///< setsid(2) in the child
    int terminal;                 ///< its stdin is a terminal that becomes the session's; only where it is confined
    pid_t *pid;                   ///< out
};
/// Starts a program with exactly the three given descriptors, default signal handling and an empty
/// signal mask. Every other descriptor is closed in the child. Returns 0 or an errno value.
int kinto_spawn(const struct kinto_spawn_options *options);

/// What bounds a child before it becomes the program: see kinto_spawn_confined.
struct kinto_confinement {
    const char *const *entrances;   ///< NULL-terminated; files `cgroup.procs` that it writes itself into
    int nice;                       ///< kinto_give_way; 0: unchanged
    uint64_t slice;                 ///< nanoseconds: kinto_run_shortly; 0: unchanged
    int io_priority;                ///< ioprio_set(2); negative: unchanged
    const char *oom_score;          ///< for /proc/self/oom_score_adj; NULL: unchanged
    long user, group;               ///< negative: the parent's; else also no supplementary groups, no_new_privs
};
/// kinto_spawn with bounds: the child is within its bounds before a byte of the program runs, or
/// does not run. Returns 0, or an errno value and in `step` what failed, a constant text.
int kinto_spawn_confined(
    const struct kinto_spawn_options *options, const struct kinto_confinement *confinement, const char **step);

/// openat2(2) with RESOLVE_BENEATH: `path` cannot lead out of `directory`, neither by ".." nor by links. -1 and errno.
int kinto_open_beneath(int directory, const char *path, int flags);
/// openat(2) with O_PATH and without following a link: a handle for a file of any kind. -1 and errno.
int kinto_open_handle(int directory, const char *name);
/// Changes the owner of what such a handle is for. 0, or -1 and errno.
int kinto_chown(int handle, uid_t user, gid_t group);
/// Lets users, beside the owner, go through a directory whose name they know (acl(5)) and nothing else; with none of
/// them the directory is the owner's alone. 0, or -1 and errno.
int kinto_let_through(const char *directory, const uid_t *users, int count);

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

/// Blocks the signals for the thread and returns a non-blocking signalfd(2) for them; -1 and errno.
int kinto_signalfd(const int *signals, int count);
/// The next signal from such a descriptor; 0 when there is none now.
int kinto_next_signal(int fd);
/// pipe2(2) with O_CLOEXEC; 0, or -1 and errno.
int kinto_pipe(int *ends);
/// fcntl(2) F_SETPIPE_SZ: the new size in bytes, or -1 and errno.
int kinto_set_pipe_size(int fd, int size);
/// splice(2) of at most `size` bytes from a socket into a pipe, without waiting: how many, 0 at the end, or -1 and errno.
long kinto_splice(int socket, int pipe, unsigned long size);
/// splice(2) of at most `size` bytes from a pipe into a socket, without waiting.
long kinto_splice_out(int pipe, int socket, unsigned long size, _Bool more);

/// sendfile(2) of at most `size` bytes of a file, from `offset`, into a socket: how many, 0 at the end, or -1 and errno.
long kinto_send_file(int file, int socket, int64_t offset, unsigned long size);

/// renameat2(2) with RENAME_EXCHANGE: the two names are never without what they name. 0, or -1 and errno.
int kinto_exchange(const char *one, const char *other);

/// epoll_create1(2), eventfd(2) and inotify_init1(2), close-on-exec, the last two non-blocking; -1 and errno.
int kinto_epoll(void);
int kinto_eventfd(void);
int kinto_inotify(void);
/// A timerfd(2) that can be read once a moment of the wall clock, in milliseconds since 1970, is reached, and when somebody
/// sets that clock; non-blocking, close-on-exec; -1 and errno.
int kinto_alarm(int64_t milliseconds);
/// accept4(2), non-blocking and close-on-exec; -1 and errno.
int kinto_accept(int fd, struct sockaddr *address, socklen_t *length);

/// Sends one byte with a descriptor over a connected unix socket (SCM_RIGHTS); 0, or -1 and errno.
int kinto_send_descriptor(int socket, int descriptor);
/// Takes a descriptor that was sent so, close-on-exec; -1 and errno, EPROTO when something else came.
int kinto_receive_descriptor(int socket);

#endif
