// SPDX-License-Identifier: Apache-2.0
// Load over connections that stay open: at a constant rate whatever becomes of the requests before, or, at the rate 0,
// as fast as each connection is answered. A request's time runs from the instant at which it was due, also where it had
// to wait for a connection, so a server that stalls is charged with all who would have come meanwhile.
//
// Use: paced PORT PATH CONNECTIONS. It opens the connections, has one request answered on each, and writes the line
// "ready". For each line "RATE SECONDS" on standard input it then sends for so long and writes one line of JSON.

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

// More than any answer to the requests that are sent here.
enum { BUFFER_BYTES = 4096, EVENTS = 512, DRAIN_SECONDS = 5 };
static const int64_t SECOND = 1000000000;

struct connection {
    int descriptor;
    bool is_busy;
    int64_t due;
    size_t held;
    char buffer[BUFFER_BYTES];
};

static struct sockaddr_in address;
static char request[1024];
static size_t request_bytes;
static int poller;
static struct connection *connections;
static int connection_count;

// Connections that have nothing to do, the one that waited longest first.
static int *idle;
static int idle_first, idle_count;

// How long each answered request took, in nanoseconds.
static uint64_t *times;
static size_t time_count, time_room;
static long errors;
static int busy_count;

static void fail(const char *what) {
    fprintf(stderr, "paced: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * SECOND + time.tv_nsec;
}

static void put_idle(int index) {
    connections[index].is_busy = false;
    idle[(idle_first + idle_count++) % connection_count] = index;
}

static int take_idle(void) {
    int index = idle[idle_first];
    idle_first = (idle_first + 1) % connection_count;
    idle_count--;
    return index;
}

static void open_connection(int index) {
    struct connection *connection = &connections[index];
    connection->held = 0;
    connection->descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connection->descriptor < 0) fail("socket");
    if (connect(connection->descriptor, (struct sockaddr *)&address, sizeof address) < 0) fail("connect");
    int yes = 1;
    setsockopt(connection->descriptor, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    if (fcntl(connection->descriptor, F_SETFL, O_NONBLOCK) < 0) fail("fcntl");
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = index};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, connection->descriptor, &event) < 0) fail("epoll_ctl");
}

static void reopen(int index) {
    close(connections[index].descriptor);
    open_connection(index);
}

// The request is far smaller than a socket's buffer: what is not taken at once is an error.
static void begin(int index, int64_t due) {
    struct connection *connection = &connections[index];
    connection->due = due;
    connection->is_busy = true;
    busy_count++;
    // A connection that was closed while it was idle is found by its event, or here.
    ssize_t sent = send(connection->descriptor, request, request_bytes, MSG_NOSIGNAL);
    if (sent < 0 && (errno == EPIPE || errno == ECONNRESET)) {
        reopen(index);
        sent = send(connection->descriptor, request, request_bytes, MSG_NOSIGNAL);
    }
    if (sent != (ssize_t)request_bytes) fail("send");
}

static void end(int index, bool is_answered) {
    busy_count--;
    if (!is_answered) {
        errors++;
    } else {
        if (time_count == time_room) {
            time_room = time_room ? time_room * 2 : 1 << 16;
            times = realloc(times, time_room * sizeof *times);
            if (!times) fail("realloc");
        }
        times[time_count++] = now() - connections[index].due;
    }
    put_idle(index);
}

// The value of a field of the head that ends at `end`, or nothing.
static const char *field(const char *head, const char *end, const char *name) {
    size_t length = strlen(name);
    for (const char *line = strstr(head, "\r\n"); line && line < end; line = strstr(line, "\r\n")) {
        line += 2;
        const char *value = line + length + 1;
        if (strncasecmp(line, name, length) == 0 && line[length] == ':') return value + strspn(value, " ");
    }
    return NULL;
}

enum answer { INCOMPLETE, WHOLE, LAST, WRONG };

// What the connection holds: a whole answer must be 200 and say its length.
static enum answer answer_in(struct connection *connection) {
    connection->buffer[connection->held] = 0;
    const char *end = strstr(connection->buffer, "\r\n\r\n");
    if (!end) return connection->held == BUFFER_BYTES - 1 ? WRONG : INCOMPLETE;
    if (strncmp(connection->buffer, "HTTP/1.1 200", 12) != 0) return WRONG;
    const char *length = field(connection->buffer, end, "content-length");
    if (!length) return WRONG;
    size_t whole = end + 4 - connection->buffer + strtoul(length, NULL, 10);
    if (connection->held < whole) return whole < BUFFER_BYTES ? INCOMPLETE : WRONG;
    if (connection->held > whole) return WRONG;
    const char *persistence = field(connection->buffer, end, "connection");
    return persistence && strncasecmp(persistence, "close", 5) == 0 ? LAST : WHOLE;
}

static void receive(int index) {
    struct connection *connection = &connections[index];
    ssize_t count =
        recv(connection->descriptor, connection->buffer + connection->held, BUFFER_BYTES - 1 - connection->held, 0);
    if (count < 0 && errno == EAGAIN) return;
    if (count <= 0) {
        reopen(index);
        if (connection->is_busy) end(index, false);
        return;
    }
    connection->held += count;
    enum answer answer = connection->is_busy ? answer_in(connection) : WRONG;
    if (answer == INCOMPLETE) return;
    connection->held = 0;
    if (connection->is_busy) {
        end(index, answer != WRONG);
    } else {
        errors++;
    }
    if (answer != WHOLE) reopen(index);
}

// Gives how many events came.
static int wait_until(int64_t instant) {
    struct epoll_event events[EVENTS];
    int64_t left = instant - now();
    if (left < 0) left = 0;
    struct timespec timeout = {.tv_sec = left / SECOND, .tv_nsec = left % SECOND};
    int count = epoll_pwait2(poller, events, EVENTS, &timeout, NULL);
    if (count < 0 && errno != EINTR) fail("epoll_pwait2");
    for (int number = 0; number < count; number++) receive(events[number].data.u32);
    return count;
}

static int by_size(const void *one, const void *other) {
    uint64_t left = *(const uint64_t *)one, right = *(const uint64_t *)other;
    return (left > right) - (left < right);
}

static double percentile(double share) {
    if (time_count == 0) return 0;
    size_t rank = (size_t)(share * time_count);
    return times[rank < time_count ? rank : time_count - 1] / 1000.0;
}

static void report(long unsent) {
    qsort(times, time_count, sizeof *times, by_size);
    printf(
        "{\"answered\": %zu, \"errors\": %ld, \"unsent\": %ld, "
        "\"microseconds\": {\"median\": %.1f, \"p99\": %.1f, \"p99.9\": %.1f, \"max\": %.1f}}\n",
        time_count, errors, unsent, percentile(0.5), percentile(0.99), percentile(0.999), percentile(1)
    );
    fflush(stdout);
}

// How many requests are due at an instant of a turn that began at `start`; none come after its end.
static long due_at(int64_t instant, int64_t start, int64_t stop, double rate) {
    int64_t passed = (instant < stop ? instant : stop) - start;
    return (long)(passed * rate / SECOND) + (instant < stop);
}

// Those that are due and not yet sent when the turn ends are still sent, and charged with their wait.
static void send_for(double rate, double seconds) {
    // Connections that were idle for too long between two turns are closed by now, and opened anew.
    while (wait_until(0) > 0) continue;
    time_count = 0;
    errors = 0;
    int64_t start = now(), stop = start + (int64_t)(seconds * SECOND), patience = stop + DRAIN_SECONDS * SECOND;
    long begun = 0, due = 0;
    for (int64_t instant = start; instant < patience; instant = now()) {
        due = rate > 0 ? due_at(instant, start, stop, rate) : instant < stop ? begun + idle_count : begun;
        if (instant >= stop && begun >= due && busy_count == 0) break;
        for (; idle_count > 0 && begun < due; begun++) {
            begin(take_idle(), rate > 0 ? start + (int64_t)(begun * (SECOND / rate)) : now());
        }
        // Until the next is due; where there is none, or no connection for it, only an answer has to be waited for.
        bool waits_for_answer = rate == 0 || begun < due || instant >= stop;
        int64_t next = waits_for_answer ? patience : start + (int64_t)(due * (SECOND / rate)) + 1;
        wait_until(instant < stop && next > stop ? stop : next);
    }
    // Nobody waits for these any more; what still comes would be taken for the answer to another request.
    for (int index = 0; index < connection_count; index++) {
        if (!connections[index].is_busy) continue;
        reopen(index);
        end(index, false);
    }
    report(due - begun);
}

// One after the other, so that no server is overrun by those who connect.
static void open_all(void) {
    for (int index = 0; index < connection_count; index++) {
        open_connection(index);
        begin(index, now());
        int64_t patience = now() + DRAIN_SECONDS * SECOND;
        while (busy_count > 0 && now() < patience) wait_until(patience);
        if (busy_count > 0 || errors > 0) {
            fprintf(stderr, "paced: connection %d was not answered with 200\n", index + 1);
            exit(1);
        }
    }
}

int main(int count, char **arguments) {
    if (count != 4 || (connection_count = atoi(arguments[3])) < 1) {
        fprintf(stderr, "use: paced PORT PATH CONNECTIONS\n");
        return 2;
    }
    address.sin_family = AF_INET;
    address.sin_port = htons(atoi(arguments[1]));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int length = snprintf(
        request, sizeof request, "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%s\r\n\r\n", arguments[2], arguments[1]
    );
    if (length >= (int)sizeof request) return 2;
    request_bytes = length;
    // Timers of the kernel are late by 50 microseconds by default.
    prctl(PR_SET_TIMERSLACK, 1);
    poller = epoll_create1(EPOLL_CLOEXEC);
    connections = calloc(connection_count, sizeof *connections);
    idle = calloc(connection_count, sizeof *idle);
    if (poller < 0 || !connections || !idle) fail("start");
    open_all();
    printf("ready\n");
    fflush(stdout);
    char line[128];
    while (fgets(line, sizeof line, stdin)) {
        double rate, seconds;
        if (sscanf(line, "%lf %lf", &rate, &seconds) != 2 || rate < 0 || seconds <= 0) return 2;
        send_for(rate, seconds);
    }
    return 0;
}
