// SPDX-License-Identifier: Apache-2.0
// For the tests, by LD_PRELOAD: a wall clock that is a test's to set, for one process. What it tells, what waits for a moment of it, and
// that an alarm with TFD_TIMER_CANCEL_ON_SET rings when it is set, all differ from the machine's clock by the same offset. All
// that is measured by other clocks goes on as ever.
//
// KINTO_CLOCK  a file, shared with the test: see struct control. It is set by a write(2) of the offset.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

struct control {
    _Atomic int64_t offset;  // milliseconds that it is ahead
    _Atomic uint64_t armed;  // alarms that were set since the process began
};

enum { MOST = 4096 };
static struct control still, *control = &still;
// By descriptor: 1 + the clock of a timer; whether it rings when the clock is set.
static _Atomic int clocks[MOST];
static _Atomic int rings[MOST];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

#define REAL(type, name, ...) \
    static type (*real)(__VA_ARGS__); \
    if (!real) real = (type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

static struct timespec moved(struct timespec time, int64_t by) {
    int64_t nanoseconds = time.tv_nsec + by % 1000 * 1000000;
    time.tv_sec += by / 1000 + (nanoseconds < 0 ? -1 : nanoseconds / 1000000000);
    time.tv_nsec = (nanoseconds + 1000000000) % 1000000000;
    return time;
}

static int is_wall(clockid_t clock) { return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE; }

int clock_gettime(clockid_t clock, struct timespec *time) {
    REAL(int, "clock_gettime", clockid_t, struct timespec *);
    int result = real(clock, time);
    if (result == 0 && is_wall(clock)) *time = moved(*time, control->offset);
    return result;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone) {
    (void)zone;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    time->tv_sec = now.tv_sec;
    time->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *place) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (place) *place = now.tv_sec;
    return now.tv_sec;
}

int timerfd_create(clockid_t clock, int flags) {
    REAL(int, "timerfd_create", clockid_t, int);
    int descriptor = real(clock, flags);
    if (descriptor >= 0 && descriptor < MOST) {
        clocks[descriptor] = 1 + clock;
        rings[descriptor] = 0;
    }
    return descriptor;
}

static int settime(int descriptor, int flags, const struct itimerspec *when, struct itimerspec *before) {
    REAL(int, "timerfd_settime", int, int, const struct itimerspec *, struct itimerspec *);
    return real(descriptor, flags, when, before);
}

int timerfd_settime(int descriptor, int flags, const struct itimerspec *when, struct itimerspec *before) {
    struct itimerspec own = *when;
    int isOurs = descriptor >= 0 && descriptor < MOST && clocks[descriptor] == 1 + CLOCK_REALTIME;
    int isSet = own.it_value.tv_sec || own.it_value.tv_nsec;
    if (!isOurs || !(flags & TFD_TIMER_ABSTIME) || !isSet) return settime(descriptor, flags, when, before);
    // A change comes before it, and is reckoned with, or after it, and rings.
    pthread_mutex_lock(&lock);
    own.it_value = moved(own.it_value, -control->offset);
    int result = settime(descriptor, flags, &own, before);
    if (flags & TFD_TIMER_CANCEL_ON_SET) {
        rings[descriptor] = 1;
        control->armed++;
    }
    pthread_mutex_unlock(&lock);
    return result;
}

int sem_timedwait(sem_t *restrict semaphore, const struct timespec *restrict until) {
    REAL(int, "sem_timedwait", sem_t *, const struct timespec *);
    struct timespec own = moved(*until, -control->offset);
    return real(semaphore, &own);
}

int pthread_cond_timedwait(
    pthread_cond_t *restrict condition, pthread_mutex_t *restrict mutex, const struct timespec *restrict until) {
    static int (*real)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
    if (!real) {
        real = (int (*)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *))dlvsym(
            RTLD_NEXT, "pthread_cond_timedwait", "GLIBC_2.3.2");
    }
    // One that goes by the time since the start of the machine has no such moments.
    struct timespec own = until->tv_sec > 1000000000 ? moved(*until, -control->offset) : *until;
    return real(condition, mutex, &own);
}

static void *watch(void *argument) {
    int changes = *(int *)argument;
    char events[4096];
    while (read(changes, events, sizeof events) > 0) {
        struct itimerspec now = {.it_value = {.tv_nsec = 1}};
        pthread_mutex_lock(&lock);
        for (int descriptor = 0; descriptor < MOST; descriptor++) {
            if (rings[descriptor]) settime(descriptor, TFD_TIMER_ABSTIME, &now, NULL);
            rings[descriptor] = 0;
        }
        pthread_mutex_unlock(&lock);
    }
    return NULL;
}

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("KINTO_CLOCK");
    if (!path) return;
    int file = open(path, O_RDWR | O_CLOEXEC);
    void *page = file < 0 ? MAP_FAILED : mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    static int changes;
    changes = inotify_init1(IN_CLOEXEC);
    pthread_t thread;
    if (page == MAP_FAILED || inotify_add_watch(changes, path, IN_MODIFY) < 0) abort();
    close(file);
    control = page;
    if (pthread_create(&thread, NULL, watch, &changes)) abort();
}
