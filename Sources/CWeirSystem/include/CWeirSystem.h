// SPDX-License-Identifier: Apache-2.0
// The Linux calls that Swift's Glibc module does not import. Declarations and one-line accessors only;
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

#define WEIR_EPOLLIN 0x001u
#define WEIR_EPOLLOUT 0x004u
#define WEIR_EPOLLERR 0x008u
#define WEIR_EPOLLHUP 0x010u
#define WEIR_EPOLLRDHUP 0x2000u
#define WEIR_EPOLLEXCLUSIVE (1u << 28)
#define WEIR_EPOLLET (1u << 31)

int weir_epoll_create(void);
int weir_epoll_add(int epoll, int fd, uint32_t flags, uint64_t data);
int weir_epoll_remove(int epoll, int fd);
int weir_epoll_wait(int epoll, weir_event *events, int capacity, int timeout_milliseconds);

// Sockets and descriptors, all close-on-exec and non-blocking.
/// `address` is a sockaddr_storage.
int weir_accept(int listener, void *address, uint32_t *length);
int weir_socket(int family);
int weir_socketpair(int pair[2]);
int weir_eventfd(void);
/// As recv and send, but never a cancellation point: libc's check for one costs more than the call's entry.
intptr_t weir_receive(int fd, void *bytes, size_t capacity);
intptr_t weir_send(int fd, const void *bytes, size_t count);
/// The number that the next descriptor would get, or INT_MAX if there is none; `fd` is any open descriptor.
int weir_lowest_free_descriptor(int fd);
/// Makes `close` send a reset (SO_LINGER with no time).
void weir_reset_on_close(int fd);
/// 1 if bytes or an end of input wait to be received.
int weir_has_input(int fd);
/// Bytes in the send queue that the peer has not acknowledged, or -1.
int weir_unacknowledged(int fd);

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
/// How many CPUs the calling thread may run on, or -1.
int weir_allowed_cpu_count(void);

#endif
