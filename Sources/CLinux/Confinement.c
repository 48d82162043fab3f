// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/openat2.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

// What the child tells its parent when it cannot go on.
struct trouble {
    int code;
    int step;
};

static const char *const steps[] = {
    "fork", "setsid", "dup2", "close_range", "join the control group", "setgroups", "setresgid", "setresuid", "prctl",
    "chdir", "start",
};
enum { FORK, SESSION, DESCRIPTORS, CLOSE, JOIN, GROUPS, GROUP, USER, PRIVILEGES, DIRECTORY, EXEC };

_Noreturn static void give_up(int to, int step) {
    struct trouble trouble = { .code = errno, .step = step };
    ssize_t ignored = write(to, &trouble, sizeof trouble);
    (void)ignored;
    _exit(127);
}

static int put(const char *file, const char *text) {
    int fd = open(file, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return -1;
    ssize_t written = write(fd, text, strlen(text));
    int saved = errno;
    close(fd);
    errno = saved;
    return written < 0 ? -1 : 0;
}

int kinto_run_shortly(uint64_t nanoseconds) {
    // As <linux/sched/types.h> has it in its first version; the library's headers declare it too, the newer ones.
    struct {
        uint32_t size, policy;
        uint64_t flags;
        int32_t nice;
        uint32_t priority;
        uint64_t runtime, deadline, period;
    } wanted = { .policy = SCHED_OTHER, .nice = getpriority(PRIO_PROCESS, 0), .runtime = nanoseconds };
    wanted.size = sizeof wanted;
    return (int)syscall(SYS_sched_setattr, 0, &wanted, 0);
}

void kinto_give_way(int nice) {
    setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + nice);
    struct sched_param none = { 0 };
    sched_setscheduler(0, SCHED_BATCH, &none);
}

int kinto_come_last(pid_t pid) {
    struct sched_param none = { 0 };
    return sched_setscheduler(pid, SCHED_IDLE, &none);
}

// In the child, which has its own copy of the memory: system calls only.
_Noreturn static void become(
    const struct kinto_spawn_options *o, const struct kinto_confinement *c, const int moved[3], int report) {
    struct sigaction standard = { .sa_handler = SIG_DFL };
    for (int signal = 1; signal < NSIG; signal++) sigaction(signal, &standard, NULL);
    if (o->new_session && setsid() < 0) give_up(report, SESSION);
    for (int i = 0; i < 3; i++) {
        int fd = moved[i] >= 0 ? moved[i] : open("/dev/null", i == 0 ? O_RDONLY : O_WRONLY);
        if (fd < 0 || (fd != i && dup2(fd, i) < 0)) give_up(report, DESCRIPTORS);
    }
    if (o->terminal) {
        // Programs that open their terminal by its name are to be let in.
        if (c->user >= 0) fchown(0, c->user, (gid_t)-1);
        ioctl(0, TIOCSCTTY, 0);
    }
    if (report != 3) {
        if (dup3(report, 3, O_CLOEXEC) < 0) give_up(report, DESCRIPTORS);
        report = 3;
    }
    if (close_range(4, ~0U, 0) < 0) give_up(report, CLOSE);

    // Not CLONE_INTO_CGROUP: where a group was ended once (cgroup.kill), Linux 6.18 ends also what is born into it later.
    for (const char *const *entrance = c->entrances; entrance && *entrance; entrance++)
        if (put(*entrance, "0") < 0) give_up(report, JOIN);
    // A priority that cannot be had is no reason not to run.
    if (c->nice) {
        kinto_give_way(c->nice);
        // Sessions share the processor as groups of their own, see sched(7); within such a group nice means nothing.
        if (o->new_session) put("/proc/self/autogroup", c->nice > 9 ? "10" : "5");
    }
    if (c->slice) kinto_run_shortly(c->slice);
    if (c->io_priority >= 0) syscall(SYS_ioprio_set, 1, 0, c->io_priority);
    if (c->oom_score) put("/proc/self/oom_score_adj", c->oom_score);
    if (c->user >= 0) {
        // The calls themselves: the library's tell other threads, of which this copy has none.
        if (syscall(SYS_setgroups, 0, NULL) < 0) give_up(report, GROUPS);
        if (syscall(SYS_setresgid, c->group, c->group, c->group) < 0) give_up(report, GROUP);
        if (syscall(SYS_setresuid, c->user, c->user, c->user) < 0) give_up(report, USER);
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) give_up(report, PRIVILEGES);
    }
    if (o->working_directory && chdir(o->working_directory) < 0) give_up(report, DIRECTORY);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execve(o->path, o->argv, o->envp);
    give_up(report, EXEC);
}

int kinto_spawn_confined(
    const struct kinto_spawn_options *o, const struct kinto_confinement *c, const char **step) {
    *step = steps[FORK];
    int wanted[3] = { o->stdin_fd, o->stdout_fd, o->stderr_fd };
    int moved[3] = { -1, -1, -1 };
    int report[2] = { -1, -1 };
    int rc = 0;
    // Above those numbers that the child puts them at.
    for (int i = 0; i < 3 && !rc; i++) {
        if (wanted[i] < 0) continue;
        moved[i] = fcntl(wanted[i], F_DUPFD_CLOEXEC, 4);
        if (moved[i] < 0) rc = errno;
    }
    if (!rc && pipe2(report, O_CLOEXEC) < 0) rc = errno;
    pid_t pid = -1;
    if (!rc) {
        pid = fork();
        if (pid == 0) become(o, c, moved, report[1]);
        if (pid < 0) rc = errno;
    }
    if (report[1] >= 0) close(report[1]);
    if (!rc) {
        struct trouble trouble;
        ssize_t size;
        do size = read(report[0], &trouble, sizeof trouble); while (size < 0 && errno == EINTR);
        if (size == sizeof trouble) {
            rc = trouble.code ? trouble.code : EIO;
            if (trouble.step >= FORK && trouble.step <= EXEC) *step = steps[trouble.step];
            while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {}
        } else {
            *o->pid = pid;
        }
    }
    if (report[0] >= 0) close(report[0]);
    for (int i = 0; i < 3; i++) if (moved[i] >= 0) close(moved[i]);
    return rc;
}

int kinto_open_beneath(int directory, const char *path, int flags) {
    struct open_how how = { .flags = (uint64_t)(flags | O_CLOEXEC),
                            .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS };
    return (int)syscall(SYS_openat2, directory, path, &how, sizeof how);
}

int kinto_open_handle(int directory, const char *name) {
    return openat(directory, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
}

int kinto_chown(int handle, uid_t user, gid_t group) { return fchownat(handle, "", user, group, AT_EMPTY_PATH); }

// As the kernel keeps it, little-endian: <linux/posix_acl_xattr.h>.
struct acl_entry {
    uint16_t tag, permissions;
    uint32_t id;
};

static int by_id(const void *a, const void *b) {
    uint32_t one = ((const struct acl_entry *)a)->id, other = ((const struct acl_entry *)b)->id;
    return (one > other) - (one < other);
}

int kinto_let_through(const char *directory, const uid_t *users, int count) {
    static const char name[] = "system.posix_acl_access";
    if (count < 0 || count > 16) { errno = EINVAL; return -1; }
    if (count == 0) {
        // One that has no list is as somebody made it.
        if (getxattr(directory, name, NULL, 0) < 0) return errno == ENODATA || errno == EOPNOTSUPP ? 0 : -1;
        if (removexattr(directory, name) < 0) return -1;
        return chmod(directory, 0700);
    }
    struct { uint32_t version; struct acl_entry entries[20]; } list = { .version = 2 };
    int n = 0;
    list.entries[n++] = (struct acl_entry){ 0x01, 7, UINT32_MAX };
    for (int i = 0; i < count; i++) list.entries[n++] = (struct acl_entry){ 0x02, 1, users[i] };
    qsort(&list.entries[1], (size_t)count, sizeof list.entries[0], by_id);
    list.entries[n++] = (struct acl_entry){ 0x04, 0, UINT32_MAX };
    list.entries[n++] = (struct acl_entry){ 0x10, 1, UINT32_MAX };
    list.entries[n++] = (struct acl_entry){ 0x20, 0, UINT32_MAX };
    return setxattr(directory, name, &list, sizeof list.version + (size_t)n * sizeof list.entries[0], 0);
}
