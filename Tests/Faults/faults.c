// SPDX-License-Identifier: Apache-2.0
// A layer between a program and the kernel, for the program that it is preloaded into (LD_PRELOAD) and whose file
// FAULTS_PROGRAM names: a chosen share of its system calls is short, interrupted, told to come again, or fails. The
// wall clock can be stepped.
//
// The kernel itself hands the calls over (seccomp with SECCOMP_RET_TRAP), so those that the program makes without libc
// are caught, too: Weir receives, sends and waits by the instruction. Nothing is made up that a kernel does not do:
//   - a call that is short has done what it says, and who waits for an edge (EPOLLET) gets one for the rest;
//   - a call that is to come again has done nothing, and an edge comes for it;
//   - a connect that is interrupted goes on.
//
// FAULTS_FILE is shared with whoever steers (steering.py): the first process writes the names of the calls into it.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

// What may become of a call, in the order of its shares.
enum { SHORT, INTERRUPTED, AGAIN, FAILED, KINDS };
enum { PARTS = 65536, RULES_MAX = 32, DESCRIPTORS_MAX = 65536 };

struct rule {
    char name[16];
    // Of PARTS calls so many; the error of FAILED.
    uint32_t shares[KINDS];
    int32_t error;
    uint32_t unused;
    uint64_t calls;
    uint64_t counts[KINDS];
};

struct control {
    uint64_t seed;
    uint64_t drawn;
    int64_t clock_step_seconds;
    uint64_t clock_reads;
    struct rule rules[RULES_MAX];
};

// By number; a number below 0 is a function of libc. Steered by name.
static const struct { int number; const char *name; } calls[] = {
    {SYS_recvfrom, "recvfrom"}, {SYS_sendto, "sendto"}, {SYS_sendmsg, "sendmsg"}, {SYS_sendfile, "sendfile"},
    {SYS_read, "read"}, {SYS_write, "write"}, {SYS_pread64, "pread64"}, {SYS_accept4, "accept4"}, {SYS_connect, "connect"},
    {SYS_socket, "socket"}, {SYS_epoll_ctl, "epoll_ctl"}, {SYS_epoll_pwait, "epoll_pwait"},
#ifdef SYS_epoll_wait
    {SYS_epoll_wait, "epoll_wait"},
#endif
    {SYS_openat, "openat"}, {SYS_eventfd2, "eventfd2"}, {-1, "pthread_create"},
};
enum { CALLS = sizeof calls / sizeof *calls };

static struct control *control;
static int (*create_thread)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

// What a descriptor is watched for by an edge. Only the thread that uses a descriptor looks at its place.
static struct { int epoll; struct epoll_event event; } edges[DESCRIPTORS_MAX];

// The one place whose calls the kernel takes.
long faults_call(long number, long a, long b, long c, long d, long e, long f);
extern char faults_call_end[];
#if defined(__x86_64__)
__asm__(".text\n.globl faults_call\n.hidden faults_call\n.globl faults_call_end\n.hidden faults_call_end\n"
        "faults_call:\n"
        "mov %rdi, %rax\nmov %rsi, %rdi\nmov %rdx, %rsi\nmov %rcx, %rdx\nmov %r8, %r10\nmov %r9, %r8\n"
        "mov 8(%rsp), %r9\nsyscall\n"
        "faults_call_end:\nret\n");
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
__asm__(".text\n.globl faults_call\n.hidden faults_call\n.globl faults_call_end\n.hidden faults_call_end\n"
        "faults_call:\n"
        "mov x8, x0\nmov x0, x1\nmov x1, x2\nmov x2, x3\nmov x3, x4\nmov x4, x5\nmov x5, x6\nsvc #0\n"
        "faults_call_end:\nret\n");
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#endif

// The n-th number of a seed is the same in each run (splitmix64); which thread draws it is not.
static uint64_t draw(void) {
    uint64_t z = control->seed + __atomic_add_fetch(&control->drawn, 1, __ATOMIC_RELAXED) * 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

// Which fault a call is to have, KINDS for none.
static int chosen(struct rule *rule) {
    __atomic_fetch_add(&rule->calls, 1, __ATOMIC_RELAXED);
    uint32_t drawn = draw() % PARTS;
    for (int kind = 0; kind < KINDS; kind++) {
        uint32_t share = __atomic_load_n(&rule->shares[kind], __ATOMIC_RELAXED);
        if (drawn < share) return kind;
        drawn -= share;
    }
    return KINDS;
}

static void count(struct rule *rule, int kind) { __atomic_fetch_add(&rule->counts[kind], 1, __ATOMIC_RELAXED); }

// Another edge for what is still there.
static void bring_edge(int descriptor) {
    if (descriptor < 0 || descriptor >= DESCRIPTORS_MAX || !(edges[descriptor].event.events & EPOLLET)) return;
    // ENOENT where the descriptor is another by now, and nobody waits for it.
    long event = (long)&edges[descriptor].event;
    faults_call(SYS_epoll_ctl, edges[descriptor].epoll, EPOLL_CTL_MOD, descriptor, event, 0, 0);
}

// Which argument says how many bytes, or -1.
static int counting_argument(long number) {
    switch (number) {
    case SYS_recvfrom: case SYS_sendto: case SYS_read: case SYS_write: case SYS_pread64: return 2;
    case SYS_sendfile: return 3;
    default: return -1;
    }
}

// Who may be told to come again: files are always there, whatever their flags say.
static int may_wait(int descriptor) {
    struct stat status;
    long flags = faults_call(SYS_fcntl, descriptor, F_GETFL, 0, 0, 0, 0);
    return flags >= 0 && flags & O_NONBLOCK
        && faults_call(SYS_fstat, descriptor, (long)&status, 0, 0, 0, 0) == 0 && !S_ISREG(status.st_mode);
}

// Sends a part of the pieces, which ends near their beginning or among their last bytes.
static long send_part(const long *a) {
    const struct msghdr *whole = (const struct msghdr *)a[1];
    struct iovec pieces[8];
    size_t count = whole->msg_iovlen < 8 ? whole->msg_iovlen : 8;
    size_t sum = 0;
    for (size_t index = 0; index < count; index++) sum += whole->msg_iov[index].iov_len;
    size_t near = sum > 4096 ? 4096 : sum > 1 ? sum - 1 : 1;
    size_t left = sum > 8 && draw() % 2 ? sum - 1 - draw() % 4 : 1 + draw() % near;
    for (size_t index = 0; index < count; index++) {
        pieces[index] = whole->msg_iov[index];
        if (pieces[index].iov_len > left) pieces[index].iov_len = left;
        left -= pieces[index].iov_len;
    }
    struct msghdr part = {.msg_iov = pieces, .msg_iovlen = count};
    return faults_call(SYS_sendmsg, a[0], (long)&part, a[2], 0, 0, 0);
}

static long serve(long number, long *a) {
    struct rule *rule = NULL;
    for (int index = 0; index < CALLS; index++) {
        if (calls[index].number == number) rule = &control->rules[index];
    }
    int kind = rule ? chosen(rule) : KINDS;
    int counting = counting_argument(number);
    // The numbers of an eventfd that does not block go whole and at once.
    if (counting >= 0 && a[counting] <= 8 && kind != FAILED) kind = KINDS;
    switch (kind) {
    case SHORT:
        if (number == SYS_sendmsg) {
            count(rule, kind);
            long sent = send_part(a);
            bring_edge(a[0]);
            return sent;
        }
        if (counting < 0) break;
        count(rule, kind);
        a[counting] = 1 + draw() % (a[counting] > 4096 ? 4096 : a[counting] - 1);
        break;
    case INTERRUPTED:
        count(rule, kind);
        if (number == SYS_connect) faults_call(number, a[0], a[1], a[2], a[3], a[4], a[5]);
        return -EINTR;
    case AGAIN:
        if (!may_wait(a[0])) break;
        count(rule, kind);
        bring_edge(a[0]);
        return -EAGAIN;
    case FAILED:
        // Taking a descriptor out of a set needs no memory.
        if (number == SYS_epoll_ctl && a[1] == EPOLL_CTL_DEL) break;
        count(rule, kind);
        return -__atomic_load_n(&rule->error, __ATOMIC_RELAXED);
    }
    if (number == SYS_epoll_ctl && a[1] != EPOLL_CTL_DEL && a[2] >= 0 && a[2] < DESCRIPTORS_MAX) {
        edges[a[2]].epoll = a[0];
        edges[a[2]].event = *(struct epoll_event *)a[3];
    }
    long result = faults_call(number, a[0], a[1], a[2], a[3], a[4], a[5]);
    if (kind == SHORT) bring_edge(a[0]);
    return result;
}

static void on_call(int signal, siginfo_t *info, void *context) {
    (void)signal;
    int saved = errno;
    mcontext_t *machine = &((ucontext_t *)context)->uc_mcontext;
#if defined(__x86_64__)
    greg_t *r = machine->gregs;
    long arguments[6] = {r[REG_RDI], r[REG_RSI], r[REG_RDX], r[REG_R10], r[REG_R8], r[REG_R9]};
    r[REG_RAX] = serve(info->si_syscall, arguments);
#elif defined(__aarch64__)
    long arguments[6];
    for (int index = 0; index < 6; index++) arguments[index] = machine->regs[index];
    machine->regs[0] = serve(info->si_syscall, arguments);
#endif
    errno = saved;
}

static void catch_calls(void) {
    struct sigaction action = {.sa_sigaction = on_call, .sa_flags = SA_SIGINFO | SA_NODEFER | SA_RESTART};
    sigaction(SIGSYS, &action, NULL);
    uint64_t end = (uint64_t)faults_call_end;
    struct sock_filter code[16 + CALLS] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, instruction_pointer)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)end, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, instruction_pointer) + 4),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(end >> 32), 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
    };
    int length = 9;
    int caught = 0;
    for (int index = 0; index < CALLS; index++) caught += calls[index].number >= 0;
    int left = caught;
    for (int index = 0; index < CALLS; index++) {
        if (calls[index].number < 0) continue;
        code[length++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, calls[index].number, left--, 0);
    }
    code[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    code[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP);
    struct sock_fprog program = {.len = length, .filter = code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) abort();
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) abort();
}

__attribute__((constructor)) static void begin(void) {
    create_thread = dlsym(RTLD_NEXT, "pthread_create");
    const char *program = getenv("FAULTS_PROGRAM"), *path = getenv("FAULTS_FILE");
    char executable[4096] = "";
    if (!program || !path || readlink("/proc/self/exe", executable, sizeof executable - 1) < 0) return;
    if (strcmp(executable, program) != 0) return;
    int file = open(path, O_RDWR | O_CLOEXEC);
    if (file < 0 || ftruncate(file, sizeof *control) != 0) abort();
    control = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (control == MAP_FAILED) abort();
    close(file);
    for (int index = 0; index < CALLS; index++) {
        strncpy(control->rules[index].name, calls[index].name, sizeof control->rules[index].name - 1);
    }
    if (!getenv("FAULTS_CLOCK_ALONE")) catch_calls();
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *argument) {
    if (!create_thread) create_thread = dlsym(RTLD_NEXT, "pthread_create");
    struct rule *rule = control ? &control->rules[CALLS - 1] : NULL;
    if (rule && chosen(rule) == FAILED) {
        count(rule, FAILED);
        return rule->error;
    }
    return create_thread(thread, attributes, run, argument);
}

// A thread that blocks SIGSYS would die of its next call.
static int mask(int how, const sigset_t *set, sigset_t *before) {
    sigset_t others;
    if (set && how != SIG_UNBLOCK) {
        others = *set;
        sigdelset(&others, SIGSYS);
        set = &others;
    }
    return syscall(SYS_rt_sigprocmask, how, set, before, 8) == 0 ? 0 : errno;
}

int pthread_sigmask(int how, const sigset_t *set, sigset_t *before) { return mask(how, set, before); }

int sigprocmask(int how, const sigset_t *set, sigset_t *before) {
    int error = mask(how, set, before);
    if (error) errno = error;
    return error ? -1 : 0;
}

// The wall clock alone: monotonic clocks are not stepped.

static int64_t step(void) {
    if (!control) return 0;
    __atomic_fetch_add(&control->clock_reads, 1, __ATOMIC_RELAXED);
    return __atomic_load_n(&control->clock_step_seconds, __ATOMIC_RELAXED);
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(clock, time);
    if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) time->tv_sec += step();
    return result;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone) {
    struct timespec now;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    time->tv_sec = now.tv_sec;
    time->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *result) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (result) *result = now.tv_sec;
    return now.tv_sec;
}
