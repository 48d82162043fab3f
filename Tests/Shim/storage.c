// SPDX-License-Identifier: Apache-2.0
// For the tests, by LD_PRELOAD: makes the N-th call on files below a directory fail, and writes down all that changes
// them, in order and with the data, so that a test can make the state that a disk has after a power cut.
//
// KINTO_SHIM_HOME     the directory, without a trailing slash
// KINTO_SHIM_CONTROL  a file of one page, shared with the test: see struct control
// KINTO_SHIM_LOG      a file that gets the log; without it nothing is written down
// KINTO_SHIM_SITES    a file that gets, while the test asks for it, each call with the place that it is made at
// KINTO_SHIM_CHILDREN 1: supervisors that are started have all this, too; all: whatever is started
#define _GNU_SOURCE
#include <dlfcn.h>
#include <execinfo.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

struct control {
    _Atomic uint64_t target;  // the call that fails, from 1; 0: none
    _Atomic uint64_t seen;    // calls since the test set it to 0
    _Atomic uint64_t hits;    // calls that failed
    _Atomic uint64_t logged;  // entries in the log
    _Atomic uint32_t error;   // errno
    _Atomic uint32_t sticky;  // 1: all from the target on fail
    _Atomic uint32_t calls;   // which: a sum of the below
    char first[1024];         // the first call that failed
    uint32_t unused;
    _Atomic uint64_t site;    // only calls at this place count; 0: at any
    _Atomic uint32_t who;     // whose calls count: a sum of the roles
    _Atomic uint32_t noting;  // 1: calls that count are written to the file of places
};
enum { SERVER = 1, SUPERVISOR = 2, HOOK = 4 };
enum { OPEN = 1, WRITE = 2, SYNC = 4, RENAME = 8, MKDIR = 16, SPAWN = 32, UNLINK = 64, READ = 128, CUT = 256, MODE = 512, SOCKET = 1024 };

static struct control *control;
static const char *home;
static size_t home_length;
static int log_file = -1, site_file = -1;
static uint32_t role = SERVER;
static char library[1024];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

#define REAL(type, name, ...) \
    static type (*real)(__VA_ARGS__); \
    if (!real) real = (type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

// The modules of this process, so that places are the same in each.
static struct { uintptr_t start, end; uint64_t name; } modules[128];
static int module_count;
static uint64_t mix(uint64_t hash, uint64_t value) { return (hash ^ value) * 0x100000001b3ULL; }

static int module(struct dl_phdr_info *info, size_t size, void *unused) {
    (void)size, (void)unused;
    if (module_count == 128) return 1;
    uintptr_t end = 0;
    for (int i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_LOAD) {
            uintptr_t last = info->dlpi_phdr[i].p_vaddr + info->dlpi_phdr[i].p_memsz;
            if (last > end) end = last;
        }
    uint64_t name = 0xcbf29ce484222325ULL;
    for (const char *c = info->dlpi_name; *c; c++) name = mix(name, (unsigned char)*c);
    modules[module_count].start = info->dlpi_addr;
    modules[module_count].end = info->dlpi_addr + end;
    modules[module_count++].name = name;
    return 0;
}

// The place of a call: who calls, and who called that, to the thread's beginning.
static uint64_t place(uint32_t call) {
    void *frames[40];
    int count = backtrace(frames, 40);
    uint64_t hash = mix(mix(0xcbf29ce484222325ULL, call), role);
    for (int i = 2; i < count; i++) {
        uintptr_t at = (uintptr_t)frames[i];
        for (int m = 0; m < module_count; m++)
            if (at >= modules[m].start && at < modules[m].end) {
                hash = mix(mix(hash, modules[m].name), at - modules[m].start);
                break;
            }
    }
    return hash ? hash : 1;
}

__attribute__((constructor)) static void start(void) {
    home = getenv("KINTO_SHIM_HOME");
    home_length = home ? strlen(home) : 0;
    const char *path = getenv("KINTO_SHIM_CONTROL");
    if (path) {
        int file = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0);
        if (file >= 0) {
            void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
            if (page != MAP_FAILED) control = page;
            syscall(SYS_close, file);
        }
    }
    path = getenv("KINTO_SHIM_LOG");
    if (path) log_file = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    path = getenv("KINTO_SHIM_SITES");
    if (path) site_file = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    char words[512];
    int file = (int)syscall(SYS_openat, AT_FDCWD, "/proc/self/cmdline", O_RDONLY | O_CLOEXEC, 0);
    ssize_t n = syscall(SYS_read, file, words, sizeof words - 1);
    syscall(SYS_close, file);
    size_t first = n > 0 ? strnlen(words, (size_t)n) + 1 : 0;
    if (n > 0 && (size_t)n > first) {
        words[n] = 0;
        if (!strcmp(words + first, "supervise")) role = SUPERVISOR;
        if (!strcmp(words + first, "hook")) role = HOOK;
    }
    dl_iterate_phdr(module, NULL);
    void *frames[4];
    backtrace(frames, 4);  // loads what it needs
    const char *children = getenv("KINTO_SHIM_CHILDREN"), *preload = getenv("LD_PRELOAD");
    snprintf(library, sizeof library, "%s", preload && children ? preload : "");
    if (!children || strcmp(children, "all")) unsetenv("LD_PRELOAD");
}

static int is_below(const char *path) {
    return home && !strncmp(path, home, home_length) && (path[home_length] == '/' || !path[home_length]);
}

// The path of a descriptor; 0 when it is not below the home.
static int path_of(int file, char out[1024]) {
    if (!home || file < 0) return 0;
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t n = syscall(SYS_readlinkat, AT_FDCWD, link, out, 1023);
    if (n <= 0) return 0;
    out[n] = 0;
    return is_below(out);
}

// The whole path of a name in a directory; 0 when it is not below the home.
static int whole(int directory, const char *name, char out[1024]) {
    if (!home || !name) return 0;
    if (name[0] == '/') {
        if (strlen(name) > 1023) return 0;
        strcpy(out, name);
    } else {
        if (directory == AT_FDCWD) {
            // git works in the directory of its repository.
            if (syscall(SYS_getcwd, out, 1023) <= 0 || !is_below(out)) return 0;
        } else if (!path_of(directory, out)) return 0;
        while (!strncmp(name, "./", 2)) name += 2;
        if (strlen(out) + strlen(name) > 1021) return 0;
        strcat(out, "/");
        strcat(out, name);
    }
    return is_below(out);
}

// Whether this call is the one that fails; errno is set then.
static int fails(uint32_t call, const char *name, const char *path) {
    if (!control || !(atomic_load(&control->calls) & call) || !(atomic_load(&control->who) & role)) return 0;
    uint64_t target = atomic_load(&control->target);
    errno = (int)atomic_load(&control->error);
    if (target && atomic_load(&control->sticky) && atomic_load(&control->hits)) return 1;
    uint64_t wanted = atomic_load(&control->site);
    if (wanted || atomic_load(&control->noting)) {
        uint64_t here = place(call);
        if (atomic_load(&control->noting) && site_file >= 0) {
            char line[1200];
            int n = snprintf(line, sizeof line, "%llu %s %s\n", (unsigned long long)here, name, path);
            syscall(SYS_write, site_file, line, n > 1199 ? 1199 : n);
        }
        if (wanted && wanted != here) return 0;
    }
    uint64_t number = atomic_fetch_add(&control->seen, 1) + 1;
    if (!target || number != target) return 0;
    if (atomic_fetch_add(&control->hits, 1) == 0)
        snprintf(control->first, sizeof control->first, "%s %s", name, path);
    errno = (int)atomic_load(&control->error);
    return 1;
}

// An entry: "KIND INODE A B PATH\n", then B bytes for a write. Called with the lock held.
static void note(char kind, uint64_t inode, uint64_t a, uint64_t b, const char *path, const void *data) {
    if (log_file < 0) return;
    char head[1200];
    int n = snprintf(head, sizeof head, "%c %llu %llu %llu %s\n", kind, (unsigned long long)inode,
                     (unsigned long long)a, (unsigned long long)b, path);
    struct iovec parts[2] = {{head, (size_t)n}, {(void *)data, data ? (size_t)b : 0}};
    syscall(SYS_writev, log_file, parts, data ? 2 : 1);
    if (control) atomic_fetch_add(&control->logged, 1);
}

static uint64_t inode_of(int file) {
    struct stat s;
    return fstat(file, &s) == 0 ? s.st_ino : 0;
}

static int opened(int (*go)(int, const char *, int, mode_t), int directory, const char *name, int flags, mode_t mode) {
    char path[1024];
    if (!whole(directory, name, path)) return go(directory, name, flags, mode);
    if (fails(OPEN, "open", path)) return -1;
    if (log_file < 0 || !(flags & (O_CREAT | O_TRUNC))) return go(directory, name, flags, mode);
    pthread_mutex_lock(&lock);
    struct stat s;
    int was = fstatat(directory, name, &s, AT_SYMLINK_NOFOLLOW) == 0;
    int file = go(directory, name, flags, mode);
    int error = errno;
    if (file >= 0) {
        if (!was) {
            fstat(file, &s);
            note('C', s.st_ino, s.st_mode & 07777, 0, path, NULL);
        } else if (flags & O_TRUNC) note('Z', s.st_ino, 0, 0, path, NULL);
    }
    pthread_mutex_unlock(&lock);
    errno = error;
    return file;
}
static int go_open(int directory, const char *name, int flags, mode_t mode) {
    long r = syscall(SYS_openat, directory, name, flags, mode);
    return (int)r;
}
#define OPENER(symbol, parameters, directory, name) \
    int symbol parameters { \
        mode_t mode = 0; \
        if (flags & (O_CREAT | O_TMPFILE)) { va_list l; va_start(l, flags); mode = (mode_t)va_arg(l, int); va_end(l); } \
        return opened(go_open, directory, name, flags, mode); \
    }
OPENER(open, (const char *path, int flags, ...), AT_FDCWD, path)
OPENER(open64, (const char *path, int flags, ...), AT_FDCWD, path)
OPENER(openat, (int at, const char *path, int flags, ...), at, path)
OPENER(openat64, (int at, const char *path, int flags, ...), at, path)

static ssize_t written(int file, const void *data, size_t count, int64_t offset) {
    char path[1024];
    int ours = path_of(file, path);
    if (ours && fails(WRITE, "write", path)) return -1;
    if (!ours || log_file < 0)
        return offset < 0 ? syscall(SYS_write, file, data, count) : syscall(SYS_pwrite64, file, data, count, offset);
    pthread_mutex_lock(&lock);
    struct stat s;
    fstat(file, &s);
    int64_t at = offset;
    if (at < 0) at = fcntl(file, F_GETFL) & O_APPEND ? s.st_size : syscall(SYS_lseek, file, 0, SEEK_CUR);
    ssize_t n = offset < 0 ? syscall(SYS_write, file, data, count) : syscall(SYS_pwrite64, file, data, count, offset);
    int error = errno;
    if (n > 0 && S_ISREG(s.st_mode)) note('W', s.st_ino, (uint64_t)at, (uint64_t)n, path, data);
    pthread_mutex_unlock(&lock);
    errno = error;
    return n;
}
ssize_t write(int file, const void *data, size_t count) { return written(file, data, count, -1); }
ssize_t pwrite(int file, const void *data, size_t count, off_t at) { return written(file, data, count, at); }
ssize_t pwrite64(int file, const void *data, size_t count, off64_t at) { return written(file, data, count, at); }

ssize_t pread64(int file, void *data, size_t count, off64_t at) {
    char path[1024];
    if (control && atomic_load(&control->calls) & READ && path_of(file, path) && fails(READ, "read", path)) return -1;
    return syscall(SYS_pread64, file, data, count, at);
}
ssize_t read(int file, void *data, size_t count) {
    char path[1024];
    if (control && atomic_load(&control->calls) & READ && path_of(file, path) && fails(READ, "read", path)) return -1;
    return syscall(SYS_read, file, data, count);
}
ssize_t pread(int file, void *data, size_t count, off_t at) { return pread64(file, data, count, at); }

static int synchronized(int file, int call, const char *name, char kind) {
    char path[1024];
    int ours = path_of(file, path);
    if (ours && fails(SYNC, name, path)) return -1;
    int r = (int)syscall(call, file);
    if (ours && r == 0 && log_file >= 0) {
        struct stat s;
        fstat(file, &s);
        pthread_mutex_lock(&lock);
        note(kind ? kind : S_ISDIR(s.st_mode) ? 'D' : 'F', s.st_ino, 0, 0, path, NULL);
        pthread_mutex_unlock(&lock);
    }
    return r;
}
int fsync(int file) { return synchronized(file, SYS_fsync, "fsync", 0); }
int fdatasync(int file) { return synchronized(file, SYS_fdatasync, "fdatasync", 0); }
int syncfs(int file) { return synchronized(file, SYS_syncfs, "syncfs", 'Y'); }

static int cut(int file, off64_t size) {
    char path[1024];
    int ours = path_of(file, path);
    if (ours && fails(CUT, "ftruncate", path)) return -1;
    pthread_mutex_lock(&lock);
    int r = (int)syscall(SYS_ftruncate, file, size);
    int error = errno;
    if (ours && r == 0) note('Z', inode_of(file), (uint64_t)size, 0, path, NULL);
    pthread_mutex_unlock(&lock);
    errno = error;
    return r;
}
int ftruncate(int file, off_t size) { return cut(file, size); }
int ftruncate64(int file, off64_t size) { return cut(file, size); }

int renameat(int from, const char *old, int to, const char *new) {
    char a[1024], b[1024];
    int ours = whole(from, old, a) && whole(to, new, b);
    if (ours && fails(RENAME, "rename", b)) return -1;
    pthread_mutex_lock(&lock);
    int r = (int)syscall(SYS_renameat, from, old, to, new);
    int error = errno;
    if (ours && r == 0) {
        char both[2100];
        snprintf(both, sizeof both, "%s\t%s", a, b);
        if (strlen(both) < 1100) note('R', 0, 0, 0, both, NULL);
    }
    pthread_mutex_unlock(&lock);
    errno = error;
    return r;
}
int rename(const char *old, const char *new) { return renameat(AT_FDCWD, old, AT_FDCWD, new); }

int linkat(int from, const char *old, int to, const char *new, int flags) {
    char a[1024], b[1024];
    int ours = whole(from, old, a) && whole(to, new, b);
    if (ours && fails(RENAME, "link", b)) return -1;
    pthread_mutex_lock(&lock);
    int r = (int)syscall(SYS_linkat, from, old, to, new, flags);
    int error = errno;
    if (ours && r == 0) {
        char both[2100];
        snprintf(both, sizeof both, "%s\t%s", a, b);
        if (strlen(both) < 1100) note('L', 0, 0, 0, both, NULL);
    }
    pthread_mutex_unlock(&lock);
    errno = error;
    return r;
}
int link(const char *old, const char *new) { return linkat(AT_FDCWD, old, AT_FDCWD, new, 0); }

int mkdirat(int directory, const char *name, mode_t mode) {
    char path[1024];
    int ours = whole(directory, name, path);
    if (ours && fails(MKDIR, "mkdir", path)) return -1;
    pthread_mutex_lock(&lock);
    int r = (int)syscall(SYS_mkdirat, directory, name, mode);
    int error = errno;
    if (ours && r == 0) note('M', 0, 0, 0, path, NULL);
    pthread_mutex_unlock(&lock);
    errno = error;
    return r;
}
int mkdir(const char *path, mode_t mode) { return mkdirat(AT_FDCWD, path, mode); }

char *mkdtemp(char *name) {
    static _Atomic unsigned next;
    size_t length = strlen(name);
    if (length < 6) { errno = EINVAL; return NULL; }
    do snprintf(name + length - 6, 7, "%03x%03x", (unsigned)getpid() & 0xFFF, atomic_fetch_add(&next, 1) & 0xFFF);
    while (mkdir(name, 0700) && errno == EEXIST);
    return errno == EEXIST || access(name, F_OK) == 0 ? name : NULL;
}

int unlinkat(int directory, const char *name, int flags) {
    char path[1024];
    int ours = whole(directory, name, path);
    if (ours && fails(UNLINK, "unlink", path)) return -1;
    pthread_mutex_lock(&lock);
    int r = (int)syscall(SYS_unlinkat, directory, name, flags);
    int error = errno;
    if (ours && r == 0) note('U', 0, 0, 0, path, NULL);
    pthread_mutex_unlock(&lock);
    errno = error;
    return r;
}
int unlink(const char *path) { return unlinkat(AT_FDCWD, path, 0); }
int rmdir(const char *path) { return unlinkat(AT_FDCWD, path, AT_REMOVEDIR); }

static void noted_mode(int r, uint64_t inode, mode_t mode, const char *path) {
    if (r != 0 || log_file < 0) return;
    pthread_mutex_lock(&lock);
    note('P', inode, mode & 07777, 0, path, NULL);
    pthread_mutex_unlock(&lock);
}
int fchmod(int file, mode_t mode) {
    char path[1024];
    int ours = path_of(file, path);
    if (ours && fails(MODE, "chmod", path)) return -1;
    int r = (int)syscall(SYS_fchmod, file, mode);
    if (ours) noted_mode(r, inode_of(file), mode, path);
    return r;
}

int fchmodat(int directory, const char *name, mode_t mode, int flags) {
    char path[1024];
    int ours = whole(directory, name, path);
    if (ours && fails(MODE, "chmod", path)) return -1;
    REAL(int, "fchmodat", int, const char *, mode_t, int);
    int r = real(directory, name, mode, flags);
    struct stat s;
    int error = errno;
    if (ours && r == 0 && log_file >= 0 && fstatat(directory, name, &s, 0) == 0) noted_mode(r, s.st_ino, mode, path);
    errno = error;
    return r;
}
int chmod(const char *path, mode_t mode) { return fchmodat(AT_FDCWD, path, mode, 0); }

int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
                const posix_spawnattr_t *attributes, char *const argv[], char *const envp[]) {
    REAL(int, "posix_spawn", pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *,
         char *const[], char *const[]);
    if (fails(SPAWN, "spawn", path)) return errno;
    if (!*library || !argv[0] || !argv[1] || strcmp(argv[1], "supervise"))
        return real(pid, path, actions, attributes, argv, envp);
    static const char *const names[] = {"KINTO_SHIM_HOME", "KINTO_SHIM_CONTROL", "KINTO_SHIM_LOG", "KINTO_SHIM_SITES"};
    char texts[5][1200];
    char *all[128];
    int count = 0, used = 0;
    while (count < 100 && envp[count]) { all[count] = envp[count]; count++; }
    snprintf(texts[used], 1200, "LD_PRELOAD=%s", library);
    all[count++] = texts[used++];
    for (int i = 0; i < 4; i++) {
        const char *value = getenv(names[i]);
        if (!value) continue;
        snprintf(texts[used], 1200, "%s=%s", names[i], value);
        all[count++] = texts[used++];
    }
    all[count] = NULL;
    return real(pid, path, actions, attributes, argv, all);
}

pid_t fork(void) {
    REAL(pid_t, "fork", void);
    return fails(SPAWN, "fork", "") ? -1 : real();
}

// What takes a descriptor and has no path.
int socket(int domain, int type, int protocol) {
    return fails(SOCKET, "socket", "") ? -1 : (int)syscall(SYS_socket, domain, type, protocol);
}
int pipe2(int ends[2], int flags) { return fails(SOCKET, "pipe", "") ? -1 : (int)syscall(SYS_pipe2, ends, flags); }
int accept4(int socket, struct sockaddr *restrict address, socklen_t *restrict length, int flags) {
    return fails(SOCKET, "accept", "") ? -1 : (int)syscall(SYS_accept4, socket, address, length, flags);
}
