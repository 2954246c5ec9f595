// SPDX-License-Identifier: Apache-2.0
// Counts heap allocations of the process that it is preloaded into (LD_PRELOAD): all of them, or those of the threads
// that have the name in COUNT_ALLOCATIONS_THREAD. The count lives in the file that COUNT_ALLOCATIONS_FILE names, as one
// 64-bit number, so it can be read while the process runs and after its end.

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

// The C library's own entries: calling them needs no symbol look-up, which would itself allocate.
void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);

static uint64_t before_start;
static uint64_t *count = &before_start;
// NULL for every thread.
static const char *thread_name;

__attribute__((constructor)) static void share_count(void) {
    const char *path = getenv("COUNT_ALLOCATIONS_FILE");
    int file = path ? open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;
    if (file < 0 || ftruncate(file, sizeof *count) != 0) abort();
    uint64_t *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (shared == MAP_FAILED) abort();
    close(file);
    count = shared;
    thread_name = getenv("COUNT_ALLOCATIONS_THREAD");
}

// A thread has its name some time after its start, and a thread that is counted once is counted from then on.
static int is_counted(void) {
    static __thread int is_known;
    if (thread_name == NULL || is_known) return 1;
    char name[16];
    if (prctl(PR_GET_NAME, name) == 0) is_known = strcmp(name, thread_name) == 0;
    return is_known;
}

static void add_one(void) {
    if (is_counted()) __atomic_fetch_add(count, 1, __ATOMIC_RELAXED);
}

void *malloc(size_t size) {
    add_one();
    return __libc_malloc(size);
}

void *calloc(size_t number, size_t size) {
    add_one();
    return __libc_calloc(number, size);
}

void *realloc(void *memory, size_t size) {
    add_one();
    return __libc_realloc(memory, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
    add_one();
    return __libc_memalign(alignment, size);
}

int posix_memalign(void **result, size_t alignment, size_t size) {
    if (alignment % sizeof(void *) != 0 || (alignment & (alignment - 1)) != 0 || alignment == 0) return EINVAL;
    add_one();
    void *memory = __libc_memalign(alignment, size);
    if (memory == NULL) return ENOMEM;
    *result = memory;
    return 0;
}
