// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "CWeirSystem.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

_Static_assert(sizeof(weir_event) == sizeof(struct epoll_event), "weir_event has the kernel's layout");
_Static_assert(offsetof(weir_event, flags) == offsetof(struct epoll_event, events), "the kernel's layout");
_Static_assert(offsetof(weir_event, data_low) == offsetof(struct epoll_event, data), "the kernel's layout");
#if !defined(WEIR_LIBC_CALLS)
_Static_assert(WEIR_SYS_SENDTO == SYS_sendto && WEIR_SYS_RECVFROM == SYS_recvfrom, "the kernel's numbers");
#if defined(__x86_64__)
_Static_assert(WEIR_SYS_EPOLL_WAIT == SYS_epoll_wait, "the kernel's numbers");
#else
_Static_assert(WEIR_SYS_EPOLL_WAIT == SYS_epoll_pwait, "the kernel's numbers");
#endif
#endif

_Thread_local void *weir_thread_loop_storage = NULL;

int weir_epoll_create(void) { return epoll_create1(EPOLL_CLOEXEC); }

int weir_epoll_add(int epoll, int fd, uint32_t flags, uint64_t data) {
    struct epoll_event event = {.events = flags, .data.u64 = data};
    return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

int weir_epoll_change(int epoll, int fd, uint32_t flags, uint64_t data) {
    struct epoll_event event = {.events = flags, .data.u64 = data};
    return epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &event);
}

int weir_epoll_remove(int epoll, int fd) {
    struct epoll_event event = {0};
    return epoll_ctl(epoll, EPOLL_CTL_DEL, fd, &event);
}

#if defined(WEIR_LIBC_CALLS)
intptr_t weir_epoll_wait(int epoll, weir_event *events, int capacity, int timeout_milliseconds) {
    int count = epoll_wait(epoll, (struct epoll_event *)events, capacity, timeout_milliseconds);
    return count < 0 ? -errno : count;
}

intptr_t weir_receive(int fd, void *bytes, size_t capacity) {
    ssize_t count = recv(fd, bytes, capacity, 0);
    return count < 0 ? -errno : count;
}

intptr_t weir_send(int fd, const void *bytes, size_t count, int more) {
    ssize_t sent = send(fd, bytes, count, more ? MSG_NOSIGNAL | MSG_MORE : MSG_NOSIGNAL);
    return sent < 0 ? -errno : sent;
}
#endif

intptr_t weir_send_between(
    int fd, const void *before, size_t before_count, const void *bytes, size_t count,
    const void *behind, size_t behind_count
) {
    struct iovec pieces[] = {{(void *)before, before_count}, {(void *)bytes, count}, {(void *)behind, behind_count}};
    struct msghdr message = {.msg_iov = pieces, .msg_iovlen = 3};
    ssize_t sent = sendmsg(fd, &message, MSG_NOSIGNAL);
    return sent < 0 ? -errno : sent;
}

int weir_accept(int listener, void *address, uint32_t *length) {
    return accept4(listener, address, length, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

int weir_socket(int family) { return socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0); }

int weir_socketpair(int pair[2]) {
    return socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair);
}

int weir_eventfd(void) { return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC); }

int weir_memory_file(const char *name) { return memfd_create(name, MFD_CLOEXEC); }

int weir_lowest_free_descriptor(int fd) {
    int lowest = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (lowest < 0) return INT_MAX;
    close(lowest);
    return lowest;
}

void weir_return_memory_from(int bytes) {
    mallopt(M_MMAP_THRESHOLD, bytes);
}

void weir_reset_on_close(int fd) {
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

int weir_has_input(int fd) {
    char byte;
    return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0;
}

int weir_unacknowledged(int fd) {
    int count = 0;
    return ioctl(fd, TIOCOUTQ, &count) == 0 ? count : -1;
}

int weir_thread_id(void) { return gettid(); }

void weir_thread_name(const char *name) { pthread_setname_np(pthread_self(), name); }

int weir_thread_pin(int cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    return pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
}

int weir_allowed_cpu(int index) {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof(set), &set) != 0) return -1;
    int count = CPU_COUNT(&set);
    if (count <= 0) return -1;
    int remaining = index % count;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (CPU_ISSET(cpu, &set) && remaining-- == 0) return cpu;
    }
    return -1;
}

// For WeirHost. The kernel refuses masks smaller than its own, so machines with more than 1024 CPUs need a larger one.
int weir_allowed_cpu_count(void) {
    for (int capacity = CPU_SETSIZE; capacity <= 1 << 20; capacity *= 2) {
        cpu_set_t *set = CPU_ALLOC(capacity);
        if (set == NULL) return -1;
        size_t size = CPU_ALLOC_SIZE(capacity);
        int failed = sched_getaffinity(getpid(), size, set);
        int count = failed ? -1 : CPU_COUNT_S(size, set);
        CPU_FREE(set);
        if (!failed) return count;
        if (errno != EINVAL) return -1;
    }
    return -1;
}
