// SPDX-License-Identifier: Apache-2.0
// The Linux calls that Swift's Glibc module does not import. Declarations, one-line accessors, and the three calls of the
// hot path;
// no system header that Glibc also exports (its types would become this module's), and
// _GNU_SOURCE is defined in the .c file alone, because in a header it clashes with the Glibc module.
#ifndef C_WEIR_SYSTEM_H
#define C_WEIR_SYSTEM_H

#include <stddef.h>
#include <stdint.h>

// epoll. The event has the kernel's layout: packed on x86-64, padded elsewhere (eventpoll.h).
typedef struct weir_event {
    uint32_t flags;
#if !defined(__x86_64__)
    uint32_t padding;
#endif
    uint32_t data_low;
    uint32_t data_high;
} weir_event;

static inline uint64_t weir_event_data(const weir_event *event) {
    return (uint64_t)event->data_high << 32 | event->data_low;
}

/// As the kernel would report it. Swift's own initializer has another parameter where the event is padded.
static inline weir_event weir_event_make(uint32_t flags, uint64_t data) {
    return (weir_event){.flags = flags, .data_low = (uint32_t)data, .data_high = (uint32_t)(data >> 32)};
}

#define WEIR_EPOLLIN 0x001u
#define WEIR_EPOLLOUT 0x004u
#define WEIR_EPOLLERR 0x008u
#define WEIR_EPOLLHUP 0x010u
#define WEIR_EPOLLRDHUP 0x2000u
#define WEIR_EPOLLEXCLUSIVE (1u << 28)
#define WEIR_EPOLLET (1u << 31)

int weir_epoll_create(void);
int weir_epoll_add(int epoll, int fd, uint32_t flags, uint64_t data);
int weir_epoll_change(int epoll, int fd, uint32_t flags, uint64_t data);
int weir_epoll_remove(int epoll, int fd);

// Sockets and descriptors, all close-on-exec and non-blocking.
/// `address` is a sockaddr_storage.
int weir_accept(int listener, void *address, uint32_t *length);
int weir_socket(int family);
int weir_socketpair(int pair[2]);
int weir_eventfd(void);
/// A file that no folder has, in memory.
int weir_memory_file(const char *name);
/// The number that the next descriptor would get, or INT_MAX if there is none; `fd` is any open descriptor.
int weir_lowest_free_descriptor(int fd);
/// Makes `close` send a reset (SO_LINGER with no time).
void weir_reset_on_close(int fd);
/// From now on allocations of so many bytes or more are of the kernel's own pages, which it has back when they are freed
/// (mallopt(3)). For the process.
void weir_return_memory_from(int bytes);
/// 1 if bytes or an end of input wait to be received.
int weir_has_input(int fd);
/// Bytes in the send queue that the peer has not acknowledged, or -1.
int weir_unacknowledged(int fd);

// The calls of the hot path, inlined into their caller: with libc's functions between, each way out of the kernel costs
// two more returns that the processor cannot predict (2 % of a short request, measured). They answer what the kernel
// answers, a negative number being -errno, and are no cancellation points.
//
// A sanitizer knows what the kernel reads and writes from libc's functions only, so its builds call these
// (scripts/sanitize).
#if defined(WEIR_LIBC_CALLS)
intptr_t weir_epoll_wait(int epoll, weir_event *events, int capacity, int timeout_milliseconds);
intptr_t weir_receive(int fd, void *bytes, size_t capacity);
/// With MSG_NOSIGNAL, and MSG_MORE where `more` is not 0.
intptr_t weir_send(int fd, const void *bytes, size_t count, int more);
#else
static inline intptr_t weir_system_call(
    intptr_t number, intptr_t a, intptr_t b, intptr_t c, intptr_t d, intptr_t e, intptr_t f
) {
#if defined(__x86_64__)
    intptr_t result;
    register intptr_t fourth __asm__("r10") = d;
    register intptr_t fifth __asm__("r8") = e;
    register intptr_t sixth __asm__("r9") = f;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(fourth), "r"(fifth), "r"(sixth)
                     : "rcx", "r11", "memory");
    return result;
#elif defined(__aarch64__)
    register intptr_t call __asm__("x8") = number;
    register intptr_t first __asm__("x0") = a;
    register intptr_t second __asm__("x1") = b;
    register intptr_t third __asm__("x2") = c;
    register intptr_t fourth __asm__("x3") = d;
    register intptr_t fifth __asm__("x4") = e;
    register intptr_t sixth __asm__("x5") = f;
    __asm__ volatile("svc #0"
                     : "+r"(first)
                     : "r"(call), "r"(second), "r"(third), "r"(fourth), "r"(fifth), "r"(sixth)
                     : "memory");
    return first;
#else
#error "Weir runs on x86-64 and arm64"
#endif
}

#if defined(__x86_64__)
enum { WEIR_SYS_SENDTO = 44, WEIR_SYS_RECVFROM = 45, WEIR_SYS_EPOLL_WAIT = 232 };
#elif defined(__aarch64__)
enum { WEIR_SYS_SENDTO = 206, WEIR_SYS_RECVFROM = 207, WEIR_SYS_EPOLL_WAIT = 22 };
#endif

static inline intptr_t weir_epoll_wait(int epoll, weir_event *events, int capacity, int timeout_milliseconds) {
    // arm64 has only epoll_pwait, which takes a signal mask more; none is given.
    return weir_system_call(
        WEIR_SYS_EPOLL_WAIT, epoll, (intptr_t)events, capacity, timeout_milliseconds, (intptr_t)NULL, 0
    );
}

static inline intptr_t weir_receive(int fd, void *bytes, size_t capacity) {
    return weir_system_call(WEIR_SYS_RECVFROM, fd, (intptr_t)bytes, (intptr_t)capacity, 0, (intptr_t)NULL, (intptr_t)NULL);
}

/// With MSG_NOSIGNAL, and MSG_MORE where `more` is not 0.
static inline intptr_t weir_send(int fd, const void *bytes, size_t count, int more) {
    int flags = more ? 0x4000 | 0x8000 : 0x4000;
    return weir_system_call(WEIR_SYS_SENDTO, fd, (intptr_t)bytes, (intptr_t)count, flags, (intptr_t)NULL, 0);
}
#endif

/// As weir_send, of many bytes with the few that stand before and behind them.
intptr_t weir_send_between(
    int fd, const void *before, size_t before_count, const void *bytes, size_t count,
    const void *behind, size_t behind_count
);

// Threads.
int weir_thread_id(void);
void weir_thread_name(const char *name);
int weir_thread_pin(int cpu);
/// The `index`-th CPU (modulo their number) that this process may run on, or -1.
int weir_allowed_cpu(int index);

// The event loop that runs on the calling thread, or NULL.
extern _Thread_local void *weir_thread_loop_storage;
static inline void *weir_thread_loop(void) { return weir_thread_loop_storage; }
static inline void weir_set_thread_loop(void *loop) { weir_thread_loop_storage = loop; }

// For WeirHost.
/// How many CPUs the process's first thread may run on, or -1; other threads may be bound to one.
int weir_allowed_cpu_count(void);

#endif
