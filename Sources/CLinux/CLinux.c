// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

int kinto_pidfd_open(pid_t pid) { return (int)syscall(SYS_pidfd_open, pid, 0); }

int kinto_pidfd_send_signal(int pidfd, int signal) {
    return (int)syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0);
}

int kinto_set_child_subreaper(void) { return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); }

int kinto_spawn(const struct kinto_spawn_options *o) {
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_t actions;
    int rc = posix_spawnattr_init(&attributes);
    if (rc) return rc;
    rc = posix_spawn_file_actions_init(&actions);
    if (rc) { posix_spawnattr_destroy(&attributes); return rc; }

    sigset_t all, none;
    sigfillset(&all);
    sigemptyset(&none);
    short flags = POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK;
    if (o->new_session) flags |= POSIX_SPAWN_SETSID;
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes, flags);

    // The given descriptors may be any numbers, 0 to 2 included: first move them out of the way, above 2,
    // so that no dup2 overwrites one that is still needed.
    int wanted[3] = { o->stdin_fd, o->stdout_fd, o->stderr_fd };
    int moved[3] = { -1, -1, -1 };
    for (int i = 0; i < 3 && !rc; i++) {
        if (wanted[i] < 0) continue;
        moved[i] = fcntl(wanted[i], F_DUPFD_CLOEXEC, 3);
        if (moved[i] < 0) rc = errno;
    }
    for (int i = 0; i < 3 && !rc; i++) {
        if (moved[i] >= 0) rc = posix_spawn_file_actions_adddup2(&actions, moved[i], i);
        else rc = posix_spawn_file_actions_addopen(&actions, i, "/dev/null", i == 0 ? O_RDONLY : O_WRONLY, 0);
    }
    if (!rc) rc = posix_spawn_file_actions_addclosefrom_np(&actions, 3);
    if (!rc && o->working_directory) rc = posix_spawn_file_actions_addchdir_np(&actions, o->working_directory);
    if (!rc) rc = posix_spawn(o->pid, o->path, &actions, &attributes, o->argv, o->envp);

    for (int i = 0; i < 3; i++) if (moved[i] >= 0) close(moved[i]);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return rc;
}

static int listeners_of_family(int fd, uint8_t family, uint16_t port, struct kinto_listener *out, int capacity, int found) {
    struct {
        struct nlmsghdr header;
        struct inet_diag_req_v2 request;
    } message;
    memset(&message, 0, sizeof message);
    message.header.nlmsg_len = sizeof message;
    message.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
    message.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    message.request.sdiag_family = family;
    message.request.sdiag_protocol = IPPROTO_TCP;
    message.request.idiag_states = 1u << TCP_LISTEN;
    message.request.id.idiag_sport = htons(port);
    struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
    if (sendto(fd, &message, sizeof message, 0, (struct sockaddr *)&kernel, sizeof kernel) < 0) return -1;

    _Alignas(struct nlmsghdr) char buffer[32768];
    for (;;) {
        ssize_t length = recv(fd, buffer, sizeof buffer, 0);
        if (length < 0) {
            if (errno == EINTR) continue;
            return -1;
        }
        int left = (int)length;
        for (struct nlmsghdr *h = (struct nlmsghdr *)buffer; NLMSG_OK(h, left); h = NLMSG_NEXT(h, left)) {
            if (h->nlmsg_type == NLMSG_DONE) return found;
            if (h->nlmsg_type == NLMSG_ERROR) {
                const struct nlmsgerr *error = NLMSG_DATA(h);
                errno = error->error ? -error->error : EIO;
                // A kernel without IPv6 has nothing to list there.
                return (family == AF_INET6 && (errno == ENOENT || errno == EAFNOSUPPORT)) ? found : -1;
            }
            const struct inet_diag_msg *d = NLMSG_DATA(h);
            uint16_t source = ntohs(d->id.idiag_sport);
            if (d->idiag_state != TCP_LISTEN || (port && source != port)) continue;
            if (found < capacity) {
                struct kinto_listener *l = &out[found];
                l->inode = d->idiag_inode;
                l->port = source;
                l->family = d->idiag_family == AF_INET6 ? 6 : 4;
                memcpy(l->address, d->id.idiag_src, 16);
            }
            found++;
        }
    }
}

int kinto_listeners(uint16_t port, struct kinto_listener *out, int capacity) {
    int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    if (fd < 0) return -1;
    int found = listeners_of_family(fd, AF_INET, port, out, capacity, 0);
    if (found >= 0) found = listeners_of_family(fd, AF_INET6, port, out, capacity, found);
    int saved = errno;
    close(fd);
    errno = saved;
    return found;
}

int kinto_peer_credentials(int fd, pid_t *pid, uid_t *uid, gid_t *gid) {
    struct ucred credentials;
    socklen_t size = sizeof credentials;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) < 0) return -1;
    *pid = credentials.pid;
    *uid = credentials.uid;
    *gid = credentials.gid;
    return 0;
}

void kinto_strerror(int code, char *buffer, size_t size) {
    if (!size) return;
    char own[128];
    const char *text = strerror_r(code, own, sizeof own); // the GNU form: may point elsewhere
    strncpy(buffer, text, size - 1);
    buffer[size - 1] = 0;
}

int kinto_signalfd(const int *signals, int count) {
    sigset_t set;
    sigemptyset(&set);
    for (int i = 0; i < count; i++) sigaddset(&set, signals[i]);
    if (pthread_sigmask(SIG_BLOCK, &set, NULL)) return -1;
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int kinto_next_signal(int fd) {
    struct signalfd_siginfo info;
    ssize_t size = read(fd, &info, sizeof info);
    return size == sizeof info ? (int)info.ssi_signo : 0;
}

int kinto_set_pipe_size(int fd, int size) { return fcntl(fd, F_SETPIPE_SZ, size); }
long kinto_splice(int socket, int pipe, unsigned long size) {
    return splice(socket, NULL, pipe, NULL, size, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
}
long kinto_splice_out(int pipe, int socket, unsigned long size, _Bool more) {
    return splice(pipe, NULL, socket, NULL, size, SPLICE_F_MOVE | SPLICE_F_NONBLOCK | (more ? SPLICE_F_MORE : 0));
}
long kinto_send_file(int file, int socket, int64_t offset, unsigned long size) {
    off_t from = offset;
    return sendfile(socket, file, &from, size);
}
int kinto_pipe(int *ends) { return pipe2(ends, O_CLOEXEC); }

int kinto_epoll(void) { return epoll_create1(EPOLL_CLOEXEC); }
int kinto_alarm(int64_t milliseconds) {
    int fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
    if (fd == -1) return -1;
    if (milliseconds < 1) milliseconds = 1; // 0 would never come
    struct itimerspec when = {
        .it_value = {.tv_sec = milliseconds / 1000, .tv_nsec = milliseconds % 1000 * 1000000},
    };
    if (timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &when, NULL) == -1) {
        int code = errno;
        close(fd);
        errno = code;
        return -1;
    }
    return fd;
}
int kinto_eventfd(void) { return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }
int kinto_inotify(void) { return inotify_init1(IN_CLOEXEC | IN_NONBLOCK); }
int kinto_accept(int fd, struct sockaddr *address, socklen_t *length) {
    return accept4(fd, address, length, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

int kinto_send_descriptor(int socket, int descriptor) {
    char byte = 0;
    struct iovec part = { .iov_base = &byte, .iov_len = 1 };
    union { struct cmsghdr header; char bytes[CMSG_SPACE(sizeof(int))]; } control;
    memset(&control, 0, sizeof control);
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes,
                              .msg_controllen = sizeof control.bytes };
    struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(rights), &descriptor, sizeof(int));
    ssize_t sent;
    do sent = sendmsg(socket, &message, MSG_NOSIGNAL); while (sent < 0 && errno == EINTR);
    return sent == 1 ? 0 : -1;
}

int kinto_receive_descriptor(int socket) {
    char byte;
    struct iovec part = { .iov_base = &byte, .iov_len = 1 };
    union { struct cmsghdr header; char bytes[CMSG_SPACE(sizeof(int))]; } control;
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes,
                              .msg_controllen = sizeof control.bytes };
    ssize_t got;
    do got = recvmsg(socket, &message, MSG_CMSG_CLOEXEC); while (got < 0 && errno == EINTR);
    if (got < 0) return -1;
    struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
    if (got == 1 && rights && rights->cmsg_level == SOL_SOCKET && rights->cmsg_type == SCM_RIGHTS
        && rights->cmsg_len == CMSG_LEN(sizeof(int))) {
        int descriptor;
        memcpy(&descriptor, CMSG_DATA(rights), sizeof(int));
        return descriptor;
    }
    errno = EPROTO;
    return -1;
}

int kinto_exchange(const char *one, const char *other) {
    return renameat2(AT_FDCWD, one, AT_FDCWD, other, RENAME_EXCHANGE);
}

const void *kinto_find(const void *space, size_t size, const void *text, size_t length) {
    return memmem(space, size, text, length);
}

void kinto_limit_heaps(int most) {
    mallopt(M_ARENA_MAX, most);
}
